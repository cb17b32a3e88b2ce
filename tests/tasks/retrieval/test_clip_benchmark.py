"""CLIP_benchmark's form of a result."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench.tasks.retrieval.clip_benchmark import clip_benchmark_result
from kdbench.tasks.retrieval.one_way import ranks
from kdbench.tasks.retrieval.ranks import Ranks


@pytest.mark.parametrize("seed", range(5))
def test_recalls_are_clip_benchmarks(seed: int) -> None:
    """On the same embeddings, several captions an image in random order, where no query has two equal scores."""
    from clip_benchmark.metrics.zeroshot_retrieval import batchify, recall_at_k

    rng = np.random.default_rng(seed)
    images = rng.normal(size=(40, 16)).astype(np.float32)
    of = rng.permutation(np.concatenate([np.arange(40), rng.integers(0, 40, 130)]))
    texts = (images[of] + 2.5 * rng.normal(size=(len(of), 16))).astype(np.float32)
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts))
    scores = torch.from_numpy(texts) @ torch.from_numpy(images).T
    assert all(len(line.unique()) == len(line) for line in [*scores, *scores.T])
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(of)), torch.from_numpy(of)] = True
    ours = Ranks(text=ranks(images, texts, np.arange(40), of), image=ranks(texts, images, of, np.arange(40)))
    found = clip_benchmark_result("mine", "model", "tag", ours.metrics([1, 5, 10]))["metrics"]
    assert len(found) == 6
    for k in (1, 5, 10):
        theirs = [
            (batchify(recall_at_k, s, p, 64, "cpu", k=k) > 0).float() for s, p in ((scores, positive), (scores.T, positive.T))
        ]
        assert found[f"image_retrieval_recall@{k}"] == pytest.approx(float(theirs[0].double().mean()), abs=1e-12)
        assert found[f"text_retrieval_recall@{k}"] == pytest.approx(float(theirs[1].double().mean()), abs=1e-12)


def test_its_build_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_benchmark.cli import main

    metrics = {"image_retrieval_recall@5": 0.25, "text_retrieval_recall@5": 0.5, "rsum": 75.0, "mean_recall": 37.5}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(clip_benchmark_result("flickr30k", "ViT-B-32", "openai", metrics)))
    monkeypatch.setattr(sys, "argv", ["clip_benchmark", "build", str(path), "--output", str(tmp_path / "all.csv")])
    main()
    [row] = csv.DictReader((tmp_path / "all.csv").open())
    assert row == {
        "dataset": "flickr30k",
        "model": "ViT-B-32",
        "pretrained": "openai",
        "model_fullname": "ViT-B-32 openai",
        "task": "zeroshot_retrieval",
        "language": "en",
        "image_retrieval_recall@5": "0.25",
        "text_retrieval_recall@5": "0.5",
    }
