"""Results in CLIP_benchmark's format, which its command `build` reads."""

from __future__ import annotations

from typing import Any

TASK = "zeroshot_retrieval"


def clip_benchmark_result(dataset: str, model: str, pretrained: str, metrics: dict[str, float]) -> dict[str, Any]:
    """The contents of one of its JSON files; only metrics that it has a name for, as fractions from 0 to 1."""
    return {
        "dataset": dataset,
        "model": model,
        "pretrained": pretrained,
        "task": TASK,
        "metrics": {name: value for name, value in metrics.items() if "_retrieval_recall@" in name},
        "language": "en",
    }
