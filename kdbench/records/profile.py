"""The profile of a student: what it costs at inference on one device."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from kdbench.suite.spec import Frozen

MEGABYTE = 10**6
FORMAT_1_PARTS = ("image", "text")  # fields of their own in profiles of format 1


class Timing(Frozen):
    """Of one call, in milliseconds, over `blocks` of calls that torch.utils.benchmark timed."""

    median_ms: float
    iqr_ms: float  # between the quartiles of the blocks' means
    blocks: int


class PartProfile(Frozen):
    """One part of a student, such as a tower, in eval mode."""

    parameters: int  # that its output depends on; parameters shared by several parts are counted in each
    flops: int  # of one input: products and sums of matrix products, convolutions and attention
    latency: dict[int, Timing]  # by batch size, in float32


class Memory(Frozen):
    """The most that was held while every part read one input, in MB (10⁶ bytes)."""

    kind: Literal["resident", "cuda"]  # of the process, or allocated by torch on the GPU
    peak_mb: float
    before_mb: float  # held when the student was built and had read nothing
    baseline_mb: float  # held with Python and torch alone, 0 on a GPU
    from_start: bool = False  # whether the peak is that of the whole process, building the student included


class Profile(Frozen):
    """What a finalized student costs at inference on one device.

    Only the parts that its task names are measured: reading and preprocessing are not. `id`, `names`, `student` and
    `dataset` are empty where a student was measured that no suite names. A profile of format 1 is read as one of format 2.
    """

    format: Literal[2] = 2
    id: str = ""
    names: list[str] = []  # labels that suites give it
    student: dict[str, Any] = {}  # `use` and `params`; compare with `PluginSpec.same_as`
    dataset: dict[str, Any] = {}  # `name`, `use` and `params`: the inputs of its parts are like those of this dataset
    parts: dict[str, PartProfile]  # by name, in the task's order
    parameters: int  # each counted once, those of no part too, such as a logit scale
    size_bytes: int  # of the weights as a safetensors file in float32
    memory: Memory | None = None  # only where a process of its own measured it, and its system tells
    gallery: int | None = None  # embeddings that a query is compared with; None where the task does not search
    search: Timing | None = None  # of one query: inner products with the gallery, and the ten greatest
    unstable: bool  # whether `reasons` has any
    reasons: list[str] = []  # why timings may not be repeatable
    load: list[float] = []  # processes that wanted a core, the mean of a minute, before the measurement and after it
    precision: Literal["fp32"] = "fp32"
    device: str  # `cpu`, or the name of the GPU
    threads: int
    host: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    measured: str  # when, in UTC
    extra: dict[str, float] = {}  # figures that were added later

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("format") != 1:
            return given
        rest = {name: value for name, value in given.items() if name not in FORMAT_1_PARTS}
        return rest | {"format": 2, "parts": {name: given.get(name) for name in FORMAT_1_PARTS}}
