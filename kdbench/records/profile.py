"""The profile of a student: what it costs at inference on one device."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

MEGABYTE = 10**6


class Figures(BaseModel):
    """A part of a profile: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Timing(Figures):
    """Of one call, in milliseconds, over `blocks` of calls that torch.utils.benchmark timed."""

    median_ms: float
    iqr_ms: float  # between the quartiles of the blocks' means
    blocks: int


class Tower(Figures):
    """One of the two towers, in eval mode."""

    parameters: int  # that its embeddings depend on; what both towers share is counted in both
    flops: int  # of one item: products and sums of matrix products, convolutions and attention
    latency: dict[int, Timing]  # by batch size, in float32


class Memory(Figures):
    """The most that was held while both towers read one item each, in MB (10⁶ bytes)."""

    kind: Literal["resident", "cuda"]  # of the process, or allocated by torch on the GPU
    peak_mb: float
    before_mb: float  # held when the student was built and had read nothing
    baseline_mb: float  # held with Python and torch alone, 0 on a GPU
    from_start: bool = False  # whether the peak is that of the whole process, building the student included


class Profile(Figures):
    """What a student costs at inference, once it is finalized, on one device.

    Its towers alone are measured: resizing and tokenising are not. `id`, `names`, `student` and `dataset` are empty where a
    student was measured that no suite names.
    """

    format: Literal[1] = 1
    id: str = ""
    names: list[str] = []  # what suites call it
    student: dict[str, Any] = {}  # `use` and `params`
    dataset: dict[str, Any] = {}  # `name`, `use` and `params`: whose images and captions its towers read
    image: Tower
    text: Tower
    parameters: int  # each counted once, those of no tower too, such as the logit scale
    size_bytes: int  # of the weights as a safetensors file in float32
    memory: Memory | None = None  # only where a process of its own measured it, and its system tells
    gallery: int  # images of the test split
    search: Timing  # of one query: inner products with as many vectors, and the ten greatest
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
