"""Metrics of zero-shot classification, under CLIP_benchmark's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdbench.contracts import Metric

PER_CLASS = "mean_per_class_recall"
TASK = "zeroshot_classification"


def metrics(top: Sequence[int]) -> tuple[Metric, ...]:
    """`accK` for each K, of which the first is the headline, and the mean of the classes' top-1; raw values are fractions."""
    shares = [
        Metric(
            f"acc{k}",
            f"top-{k}",
            "%",
            scale=100.0,
            headline=position == 0,
            best=1.0,
            worst=0.0,
            priority=9 - min(position, 8),
            group="top",
            meaning=f"Percentage of images whose class is among the {k} most similar."
            if k > 1
            else "Percentage of images whose class is the most similar.",
        )
        for position, k in enumerate(top)
    ]
    per_class = Metric(
        PER_CLASS,
        "mean per class",
        "%",
        scale=100.0,
        best=1.0,
        worst=0.0,
        shown=False,
        meaning="Mean over classes of the percentage of a class's images whose class is the most similar.",
    )
    return (*shares, per_class)


def clip_benchmark_result(
    dataset: str, model: str, pretrained: str, found: dict[str, float], task: str = TASK
) -> dict[str, Any]:
    """The contents of one of CLIP_benchmark's JSON files, which its command `build` reads."""
    names = {"dataset": dataset, "model": model, "pretrained": pretrained, "task": task}
    return {**names, "metrics": found, "language": "en"}
