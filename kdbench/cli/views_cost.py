"""What augmented views will cost before the first of them is encoded: pictures, disk, and time on a GPU or on cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdbench.errors import counted
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.storage.digest import digest_of
from kdbench.storage.room import amount
from kdbench.suite.settings import Views
from kdbench.suite.spec import PluginSpec, RunSpec

GPU = 100e12  # floating-point operations a second that a large GPU sustains in bf16
CORE = 50e9  # … and a core of a server in fp32
HALF = 2  # bytes of a stored float16


def costs_of_views(specs: Sequence[RunSpec], plugins: Plugins) -> list[str]:
    """A line for each teacher whose views are to be encoded, and dataset. Empty if there are none.

    A teacher without a method `image_cost` is listed with its pictures alone; the time for captions, which is short, is not
    told. Datasets are built to count their images.
    """
    sizes: dict[str, tuple[int, int]] = {}
    lines: dict[str, str] = {}
    with building_with(plugins):
        for dataset, teacher, views, splits in _encoded(specs):
            where = digest_of([dataset.plain, *splits])
            key = digest_of([where, teacher.plain, views.count, bool(views.drop_words)])
            if key in lines:
                continue
            if where not in sizes:
                read = [build_spec("dataset", dataset).split(name) for name in splits]
                images = sum(len(split.image_concepts) for split in read)
                sizes[where] = images, sum(len(split.caption_concepts) for split in read)
            lines[key] = _line(dataset, teacher, views, *sizes[where])
    return list(lines.values())


def _encoded(specs: Sequence[RunSpec]) -> Iterator[tuple[PluginSpec, PluginSpec, Views, tuple[str, ...]]]:
    """Datasets, teachers, views, and the splits of which there are views: all of them where folds pick from all."""
    for spec in specs:
        views = spec.train.views if spec.train and not spec.transfer else None
        if views is not None and views.teachers == "same":
            splits = ("train", "validation", "test") if spec.fold else ("train",)
            yield from ((spec.dataset, teacher, views, splits) for teacher in spec.team)


def _line(dataset: PluginSpec, teacher: PluginSpec, views: Views, images: int, captions: int) -> str:
    count, worded = views.count, f" and {captions:,} captions" if views.drop_words else ""
    head = f"{counted(count, 'view')} of {images:,} images{worded} of {dataset.name} by {teacher.name}"
    built = build_spec("teacher", teacher)
    if getattr(built, "lacks", None) == "image" and not worded:
        return f"{head}: none, it has no image tower"
    cost = built.image_cost() if hasattr(built, "image_cost") else None
    if cost is None:
        return f"{head}: {count} × the time and space of {'these' if worded else 'the images'} themselves"
    rows = images + (captions if worded else 0)
    operations, stored = cost.flops * count * images, cost.width * HALF * count * rows
    of_images = ", for the images," if worded else ""
    gpu = f"{_hours(operations / GPU)}{of_images} of a GPU at {GPU / 1e12:.0f} TFLOP/s"
    core = f"{_hours(operations / CORE)} of a core at {CORE / 1e9:.0f} GFLOP/s"
    return f"{head}: {amount(stored)} on disk, mapped into memory; {gpu}, or {core}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 360 else f"{seconds:,.0f} seconds"
