"""What augmented views will cost before the first of them is encoded: pictures, disk, and time on a GPU or on cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import PluginSpec, RunSpec

GPU = 100e12  # floating-point operations a second that a large GPU sustains in bf16
CORE = 50e9  # … and a core of a server in fp32
HALF = 2  # bytes of a stored float16


def costs_of_views(specs: Sequence[RunSpec], plugins: Plugins) -> list[str]:
    """A line for each teacher whose views are to be encoded, and dataset. Empty if there are none.

    A teacher without a method `image_cost` is listed with its pictures alone. Datasets are built to count their images.
    """
    images: dict[str, int] = {}
    lines: dict[str, str] = {}
    with building_with(plugins):
        for dataset, teacher, count in _encoded(specs):
            where, key = digest_of(dataset.plain), digest_of([dataset.plain, teacher.plain, count])
            if key in lines:
                continue
            if where not in images:
                images[where] = len(build_spec("dataset", dataset).split("train").image_concepts)
            lines[key] = _line(dataset, teacher, count, images[where])
    return list(lines.values())


def _encoded(specs: Sequence[RunSpec]) -> Iterator[tuple[PluginSpec, PluginSpec, int]]:
    for spec in specs:
        views = spec.train.views if spec.train and not spec.transfer else None
        if views is not None and views.teachers == "same":
            yield from ((spec.dataset, teacher, views.count) for teacher in spec.team)


def _line(dataset: PluginSpec, teacher: PluginSpec, count: int, images: int) -> str:
    head = f"{count} views of {images:,} images of {dataset.name} by {teacher.name}"
    built = build_spec("teacher", teacher)
    if getattr(built, "lacks", None) == "image":
        return f"{head}: none, it has no image tower"
    cost = built.image_cost() if hasattr(built, "image_cost") else None
    if cost is None:
        return f"{head}: {count} × the time and space of the images themselves"
    operations, stored = cost.flops * count * images, cost.width * HALF * count * images
    gpu = f"{_hours(operations / GPU)} of a GPU at {GPU / 1e12:.0f} TFLOP/s"
    core = f"{_hours(operations / CORE)} of a core at {CORE / 1e9:.0f} GFLOP/s"
    return f"{head}: {_bytes(stored)} on disk, mapped into memory; {gpu}, or {core}"


def _bytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 360 else f"{seconds:,.0f} seconds"
