"""Records: one small JSON file per run, its arrays and trace beside it. Everything shown later is derived from these."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from kdbench.records import format1
from kdbench.suite.spec import Frozen, RunSpec

Status = Literal["ok", "skipped", "failed", "diverged"]
DONE: tuple[Status, ...] = ("ok", "diverged")  # these follow from the spec; the others may go better next time
# Fields that a file begins with; the format is found without reading on.
FIRST = ("format", "run_id", "cell_id", "label", "status", "reason", "spec", "reconstructions")


class Outcome(Frozen):
    """What a run found. All of it is empty where the run did not end well."""

    metrics: dict[str, float] = {}  # on the test split, raw values by the task's names
    validation: dict[str, float] = {}  # of the best epoch, which is the one evaluated
    best_epoch: int | None = None
    steps: int | None = None
    weights: dict[str, float] = {}  # mean over all steps, by teacher
    dynamics: dict[str, float] = {}  # `Trace.dynamics`
    sizes: dict[str, int] = {}  # of the test split, by what its task counts
    dataset_digest: str | None = None
    licence: str | None = None
    arrays_sha256: str | None = None  # of the file with what each test query scored
    units_sha256: str | None = None  # of the file that says which test unit each query belongs to
    trace_sha256: str | None = None
    timings: dict[str, float] = {}  # seconds: teacher (shared by every run with them), train, strategy (part of it), evaluate
    encodings: dict[str, float] = {}  # seconds of each entry made for its teachers, by cache key; other runs may share them
    peak_mb: float | None = None  # 10⁶ bytes that its process, or its GPU, held at most


class Record(Outcome):
    """What is known of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1, 2] = 2
    run_id: str
    cell_id: str
    label: str
    status: Status
    reason: str = ""  # of any status but ok
    spec: RunSpec
    reconstructions: list[str] = []  # labels of its methods whose source leaves something open
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    host: dict[str, Any]
    device: str
    threads: int
    started: str
    finished: str
    original: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)  # the spec as format 1 wrote it

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("format") == 1 and "original" not in given:
            try:
                return format1.record_fields(given)
            except format1.UNREADABLE as error:
                raise ValueError(f"its spec is none of format 1: {type(error).__name__}: {error}") from error
        return given

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = write(self)
        fields = {name: found[name] for name in (*FIRST, *found) if name in found}
        return format1.written_fields(fields, self.original) if self.original is not None else fields

    @cached_property
    def ids(self) -> dict[str, str]:
        """What `run_id`, `cell_id` and `label` must be by its spec, in its own format."""
        if self.original is None:
            return {"run_id": self.spec.run_id, "cell_id": self.spec.cell_id, "label": self.spec.label}
        return {
            "run_id": format1.run_id(self.original),
            "cell_id": format1.cell_id(self.original),
            "label": format1.label(self.original),
        }
