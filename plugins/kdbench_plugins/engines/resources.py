"""What a task asks of a cluster."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kdbench.errors import KdbenchError
from kdbench.suite.diagnostics import Problems
from kdbench.suite.yaml_file import parse_scalar

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def in_bytes(value: object) -> object:
    """`4GB` and `512 MiB` as bytes; anything else as it is."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", value.strip(), re.IGNORECASE) if isinstance(value, str) else None
    if match is None or match[2].upper() not in UNITS:
        if isinstance(value, str):
            raise ValueError("a number of bytes, or one with a unit such as 4GB or 512MiB")
        return value
    return int(float(match[1]) * UNITS[match[2].upper()])


class Resources(BaseModel):
    """Of each task. A cluster counts what it has promised; it holds nobody to it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # None: 1 on CUDA, else 0; 0.5: two share one
    memory: Annotated[int, Field(gt=0), BeforeValidator(in_bytes)] | None = None  # bytes

    def gpus_on(self, device: str) -> float:
        return (1.0 if device == "cuda" else 0.0) if self.gpus is None else self.gpus


def parse_resources(text: str) -> Resources:
    """`{cpus: 1, gpus: 0.5, memory: 4GB}`. Raises KdbenchError, naming what is wrong."""
    given: Any = parse_scalar(text, "--resources")
    if not isinstance(given, dict):
        raise KdbenchError(f"--resources: found {text!r}, expected a map such as '{{cpus: 1, gpus: 0.5, memory: 4GB}}'")
    problems = Problems("--resources", {})
    try:
        return Resources(**given)
    except ValidationError as error:
        problems.add_validation((), error, given, Resources.model_fields)
    problems.raise_if_any()
    raise AssertionError("unreachable")
