"""The profile of a student: its costs at inference on one device."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer

from kdbench.records.quantities import Amount, Figure, Flag, Whole
from kdbench.records.sealed import Sealed
from kdbench.suite.spec import Frozen, Values

MEGABYTE = 10**6


class Finite(Frozen):
    """A part of a profile. JSON would have null in place of other numbers."""

    model_config = ConfigDict(allow_inf_nan=False)


class Timing(Finite):
    """The time of one call in milliseconds, over `blocks` of calls timed by torch.utils.benchmark."""

    median_ms: Amount
    iqr_ms: Amount  # between the quartiles of the blocks' means
    blocks: Whole


class PartProfile(Finite):
    """One part of a student, such as a tower, in eval mode."""

    parameters: Whole  # parameters that its output depends on; those of several parts count in each
    flops: Whole  # for one input: multiplications and additions in matrix products, convolutions and attention
    latency: dict[int, Timing]  # by batch size, in float32


class Memory(Finite):
    """Peak memory while every part read one input, in MB (10⁶ bytes)."""

    kind: Literal["resident", "cuda"]  # of the process, or allocated by torch on the GPU
    peak_mb: Amount
    before_mb: Amount  # with the student built, before any input
    baseline_mb: Amount  # with only Python and torch loaded, 0 on a GPU
    from_start: Flag = False  # whether the peak is that of the whole process, building the student included


class Profile(Finite, Sealed):
    """The costs of a finalized student at inference on one device.

    Only the parts that its task names are measured, not reading and preprocessing. `id`, `names`, `student` and `dataset` are
    empty for a student that was measured outside a suite.
    """

    format: Literal[2] = 2
    id: str = ""
    names: list[str] = []  # its labels in suites
    student: Values = {}  # `use` and `params`; compare with `PluginSpec.same_as`
    code: str = ""  # sha256 of the source of third parties behind the student; "" if there is none
    dataset: Values = {}  # `name`, `use` and `params`: inputs had the form of this dataset's
    parts: dict[str, PartProfile]  # by name, in the task's order
    parameters: Whole  # each counted once, including those of no part, such as a logit scale
    size_bytes: Whole  # of the weights as a safetensors file in float32
    memory: Memory | None = None  # None unless a separate process measured it and its system reports memory
    gallery: Whole | None = None  # embeddings that a query is compared with; None if the task does not search
    search: Timing | None = None  # for one query: inner products with the gallery, and the ten largest
    unstable: Flag  # whether `reasons` has any
    reasons: list[str] = []  # why timings may not be repeatable
    load: list[Amount] = []  # load average over one minute, before and after the measurement
    precision: Literal["fp32"] = "fp32"
    device: str  # `cpu`, or the name of the GPU
    threads: Whole
    host: Values
    versions: dict[str, str]
    commit: str | None
    dirty: Flag | None
    measured: str  # when, in UTC
    extra: dict[str, Figure] = {}  # figures that were added later

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `code` where it is empty, as in files from before it was added."""
        found: dict[str, Any] = write(self)
        return found if self.code else {name: value for name, value in found.items() if name != "code"}
