"""Exported towers in ONNX Runtime: the ranks of the record, and a latency for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.exporters.onnx_runtime import onnx_embeddings, onnx_latency
from kdbench_plugins.exporters.onnx_towers import quantize, write_onnx
from kdbench_plugins.exporters.outputs import Embeddings
from tests.support.export_runs import Trained, small

RUNTIME = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


@pytest.fixture(scope="module")
def towers(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("towers")
    write_onnx(trained.student, trained.split, folder, {})
    quantize(folder)
    return folder


def embedded(path: Path, items: Any) -> Any:
    return RUNTIME.InferenceSession(str(path)).run(["vectors"], {"items": np.array(items)})[0]


def ranks_of(embeddings: Embeddings, split: EncodedSplit) -> Ranks:
    return Ranks.of(*embeddings, split.image_concepts, split.caption_concepts)


def test_the_ranks_are_those_of_the_record(trained: Trained, towers: Path) -> None:
    for batch_size in (1, 5, 256):
        found = ranks_of(onnx_embeddings(towers, trained.split, batch_size=batch_size), trained.split)
        np.testing.assert_array_equal(found.text, trained.ranks.text)
        np.testing.assert_array_equal(found.image, trained.ranks.image)


def test_int8_ranks_are_of_the_int8_towers(trained: Trained, towers: Path) -> None:
    split = trained.split
    images, texts = (
        np.concatenate([embedded(towers / f"{tower}.int8.onnx", item[None]) for item in values])
        for tower, values in (("image", split.images), ("text", split.texts))
    )
    found = ranks_of(onnx_embeddings(towers, split, "int8", batch_size=1), split)
    for query, (concept, rank) in enumerate(zip(split.image_concepts, found.text, strict=True)):
        scores = (texts.astype(np.float64) @ images[query].astype(np.float64)).astype(np.float32)
        mine = split.caption_concepts == concept
        assert rank == 1 + (scores[~mine] >= scores[mine].max()).sum()


def test_latency_of_each_tower(towers: Path) -> None:
    found = onnx_latency(towers)
    assert set(found) == {"image_batch1", "image_batch32", "text_batch1", "text_batch32"}
    assert all(0 < ms < 10_000 for ms in found.values())
    assert found["image_batch32"] > found["image_batch1"]
