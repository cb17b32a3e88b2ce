"""Resources that work reserves on a cluster, as types of an engine's options."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def in_bytes(value: object) -> object:
    """`4GB` or `512 MiB` in bytes; values that are not strings unchanged. Raises ValueError for another string."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", value.strip(), re.IGNORECASE)
    if match is None or match[2].upper() not in UNITS:
        raise ValueError("a number of bytes, or one with a unit such as 4GB or 512MiB")
    return int(float(match[1]) * UNITS[match[2].upper()])


Cpus = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Gpus = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Memory = Annotated[int, Field(gt=0), BeforeValidator(in_bytes)]  # bytes
