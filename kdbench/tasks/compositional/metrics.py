"""Metrics of compositional pairs: accuracy of all items, under CLIP_benchmark's name, and of each of SugarCrepe's kinds."""

from __future__ import annotations

from kdbench.contracts import Metric

ALL, MEAN = "acc", "mean_per_kind"
TASK = "image_caption_selection"
KINDS = ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")


def metrics() -> tuple[Metric, ...]:
    """Raw values are fractions. The headline is that of all items; in a narrow terminal single kinds are dropped first."""
    words = "items whose right caption is more similar to the image than the wrong one"
    single = [_metric(kind, kind.replace("_", " "), f"Percentage of {words}, of the kind {kind}.", 1) for kind in KINDS]
    return (
        _metric(ALL, "all items", f"Percentage of {words}.", 9),
        _metric(MEAN, "mean of kinds", f"Mean over the {len(KINDS)} kinds of the percentage of {words}.", 8),
        *single,
    )


def _metric(name: str, label: str, meaning: str, priority: int) -> Metric:
    return Metric(
        name,
        label,
        "%",
        scale=100.0,
        headline=name == ALL,
        best=1.0,
        worst=0.0,
        priority=priority,
        group="accuracy",
        meaning=meaning,
    )
