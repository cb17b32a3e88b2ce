"""Metrics of compositional pairs, and the form of a result that CLIP_benchmark reads."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from kdbench.tasks.compositional import Compositional
from kdbench.tasks.compositional.metrics import KINDS, metrics


def test_all_items_then_the_mean_then_each_kind() -> None:
    found = metrics()
    assert [metric.name for metric in found] == ["acc", "mean_per_kind", *KINDS]
    assert [metric.name for metric in found if metric.headline] == ["acc"]
    assert [metric.label for metric in found[2:4]] == ["add att", "add obj"]


def test_clip_benchmarks_build_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_benchmark.cli import main

    path = tmp_path / "result.json"
    path.write_text(json.dumps(Compositional().result_file("sugarcrepe", "ViT-B-32", "openai", {"acc": 0.75, "swap_obj": 0.5})))
    monkeypatch.setattr(sys, "argv", ["clip_benchmark", "build", str(path), "--output", str(tmp_path / "all.csv")])
    main()
    [row] = csv.DictReader((tmp_path / "all.csv").open())
    assert (row["task"], row["acc"], row["swap_obj"]) == ("image_caption_selection", "0.75", "0.5")
