"""Results in the form that CLIP_benchmark writes, so that its `build` reads them beside its own."""

from __future__ import annotations

from typing import Any

TASK = "zeroshot_retrieval"


def clip_benchmark_result(dataset: str, model: str, pretrained: str, metrics: dict[str, float]) -> dict[str, Any]:
    """The contents of one of its JSON files; metrics are those it has a name for, shares from 0 to 1."""
    return {
        "dataset": dataset,
        "model": model,
        "pretrained": pretrained,
        "task": TASK,
        "metrics": {name: value for name, value in metrics.items() if "_retrieval_recall@" in name},
        "language": "en",
    }
