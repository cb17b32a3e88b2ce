"""Metrics of zero-shot classification and CLIP_benchmark's form of a result."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from kdbench.tasks.zero_shot.metrics import clip_benchmark_result, metrics


def test_the_first_k_is_the_headline() -> None:
    found = metrics([3, 1])
    assert [metric.name for metric in found] == ["acc3", "acc1", "mean_per_class_recall"]
    assert [metric.name for metric in found if metric.headline] == ["acc3"]
    assert [metric.name for metric in found if not metric.shown] == ["mean_per_class_recall"]


def test_clip_benchmarks_build_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_benchmark.cli import main

    figures = {"acc1": 0.25, "acc5": 0.5, "mean_per_class_recall": 0.375}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(clip_benchmark_result("imagenet1k", "ViT-B-32", "openai", figures)))
    monkeypatch.setattr(sys, "argv", ["clip_benchmark", "build", str(path), "--output", str(tmp_path / "all.csv")])
    main()
    [row] = csv.DictReader((tmp_path / "all.csv").open())
    assert row == {
        "dataset": "imagenet1k",
        "model": "ViT-B-32",
        "pretrained": "openai",
        "model_fullname": "ViT-B-32 openai",
        "task": "zeroshot_classification",
        "language": "en",
        **{name: str(value) for name, value in figures.items()},
    }
