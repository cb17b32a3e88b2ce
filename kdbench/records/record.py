"""Records: one small JSON file per run, its arrays and trace beside it. Everything shown later is derived from these."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import (
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from kdbench.records.names import split_digest
from kdbench.records.parts import Part, weights_identity
from kdbench.records.quantities import Amount, Figure, Flag, Whole
from kdbench.records.sealed import Sealed
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import Frozen, RunSpec, Values

Status = Literal["ok", "skipped", "failed", "diverged"]
DONE: tuple[Status, ...] = ("ok", "diverged")  # these follow from the spec; runs with another status are tried again
# The first fields of a file: the format is found without parsing the rest.
FIRST = ("format", "run_id", "cell_id", "label", "status", "reason", "spec", "reconstructions")
OPTIONAL = (
    "parts",
    "warnings",
    "student_digest",
)  # left out of a file where they are empty, as in those from before they were added


class Outcome(Frozen):
    """The result of a run; empty unless its status is `ok`."""

    metrics: dict[str, Figure] = {}  # on the test split, raw values by the task's names
    validation: dict[str, Figure] = {}  # validation metrics of the best epoch, which is the one evaluated
    best_epoch: Whole | None = None
    steps: Whole | None = None
    weights: dict[str, Figure] = {}  # mean over all steps, by teacher
    dynamics: dict[str, Figure] = {}  # `Trace.dynamics`
    sizes: dict[str, Whole] = {}  # of the test split, by name (`Task.sizes`)
    dataset_digest: str | None = None  # of the whole dataset, also where one fold of it is tested
    licence: str | None = None
    arrays_sha256: str | None = None  # of the file with the stored arrays
    units_sha256: str | None = None  # of the file with the test unit of each query
    trace_sha256: str | None = None
    timings: dict[str, Amount] = {}  # seconds: teacher (serves other runs too), train, strategy (part of it), evaluate
    encodings: dict[str, Amount] = {}  # seconds of each cache entry for its teachers, by key; serves other runs too
    peak_mb: Amount | None = None  # peak memory of its process or GPU in 10⁶ bytes


class Record(Outcome, Sealed):
    """The record of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # JSON would have null in their place

    format: Literal[2] = 2
    run_id: str
    cell_id: str
    label: str
    status: Status
    reason: str = ""  # for any status but ok
    spec: RunSpec
    reconstructions: list[str] = []  # labels of its methods that are reconstructions
    warnings: list[str] = []  # of other libraries, each once, while it built, loaded, encoded and trained
    student_digest: str | None = (
        None  # of a transfer run: `digest_of_student` of the record of the run that trained its student
    )
    parts: dict[str, Part] = {}  # its plugins when it was executed, by name; empty in records from before this was recorded
    versions: dict[str, str]
    commit: str | None
    dirty: Flag | None
    host: Values
    device: str
    threads: Whole
    started: str
    finished: str

    @model_validator(mode="after")
    def _identified(self) -> Self:
        try:
            _ = self.ids
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"its spec has no ids: {type(error).__name__}: {error}") from error
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = write(self)
        return {name: found[name] for name in (*FIRST, *found) if name in found and (found[name] or name not in OPTIONAL)}

    @property
    def split_digest(self) -> str:
        """Identifies its test split; empty if the run has no digest of its dataset."""
        return split_digest(self.dataset_digest, self.spec.fold) if self.dataset_digest else ""

    @property
    def digest_of_student(self) -> str:
        """Identifies the trained student: another one whenever the run is executed again with another result."""
        return digest_of(weights_identity(self.run_id, self.arrays_sha256 or "", self.parts))

    @property
    def ids(self) -> dict[str, str]:
        """The values of `run_id`, `cell_id` and `label` that follow from its spec."""
        return {"run_id": self.spec.run_id, "cell_id": self.spec.cell_id, "label": self.spec.label}
