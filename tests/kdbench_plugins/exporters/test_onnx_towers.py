"""ONNX towers are the student's towers, at any batch size, or there are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.embeddings import EncodedSplit, student_embeddings
from kdbench_plugins.exporters.onnx_runtime import session
from kdbench_plugins.exporters.onnx_towers import quantize, write_onnx
from tests.support.export_runs import Trained, small
from tests.support.toys import TwoTowers, toy

RUNTIME = pytest.importorskip("onnxruntime")
ONNX = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


@pytest.fixture(scope="module")
def towers(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("towers")
    differences = write_onnx(trained.student, trained.split, folder, {"run_id": "of this run"})
    quantize(folder)
    return folder, differences


def embedded(path: Path, items: Any) -> Any:
    return RUNTIME.InferenceSession(str(path)).run(["vectors"], {"items": np.array(items)})[0]


def toy_split() -> EncodedSplit:
    rng = np.random.default_rng(0)
    concepts = np.arange(4)
    images = rng.integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    return EncodedSplit(images, rng.integers(0, 3, (4, 6)), concepts, concepts)


class Drifting(TwoTowers):
    """Texts come out otherwise every time, which an export of one forward pass cannot tell."""

    def __init__(self) -> None:
        super().__init__(8)
        self.calls = 0

    def encode_text(self, texts: Tensor) -> Tensor:
        self.calls += 1
        return super().encode_text(texts).roll(self.calls, dims=1)


class Branching(TwoTowers):
    """Its forward pass asks what the pixels are."""

    def encode_image(self, images: Tensor) -> Tensor:
        return super().encode_image(images if images.float().mean() > 3 else images + 1)


@pytest.mark.parametrize("count", [1, 3, 48])
def test_the_towers_give_torchs_unit_vectors(trained: Trained, towers: tuple[Path, dict[str, float]], count: int) -> None:
    split = trained.split
    for tower, values, expected in zip(
        ("image", "text"), (split.images, split.texts), student_embeddings(trained.student, split, 1, "cpu"), strict=True
    ):
        vectors = embedded(towers[0] / f"{tower}.onnx", values[:count])
        assert (vectors.dtype, vectors.shape) == (np.float32, (count, 16))
        np.testing.assert_allclose(vectors, expected[:count], atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_difference_is_what_it_says(trained: Trained, towers: tuple[Path, dict[str, float]]) -> None:
    folder, differences = towers
    student, split = trained.student, trained.split
    with torch.no_grad():
        texts = [(t, student.module.encode_text(torch.from_numpy(np.array(t)))) for t in (split.texts[:n] for n in (1, 2, 5))]
    expected = max(np.abs(embedded(folder / "text.onnx", items) - found.numpy()).max() for items, found in texts)
    assert differences["text"] == pytest.approx(expected, abs=1e-7)
    assert 0 <= differences["image"] < 1e-5


def test_the_files_tell_what_they_read(towers: tuple[Path, dict[str, float]]) -> None:
    image, text = (session(towers[0] / f"{tower}.onnx").get_modelmeta().custom_metadata_map for tower in ("image", "text"))
    assert image["input"] == "uint8 [batch, 32, 40, 3]"
    assert image["encoder"].endswith("bicubic|32x40")
    assert text["input"] == "int32 [batch, 10]"
    assert text["output"] == "float32 [batch, 16], unit vectors"
    assert image["run_id"] == text["run_id"] == "of this run"


def test_int8_is_smaller_and_near(trained: Trained, towers: tuple[Path, dict[str, float]]) -> None:
    folder, _ = towers
    split = trained.split
    for tower, values in (("image", split.images), ("text", split.texts)):
        whole, small = folder / f"{tower}.onnx", folder / f"{tower}.int8.onnx"
        ONNX.checker.check_model(str(small))
        assert small.stat().st_size < 0.5 * whole.stat().st_size
        cosine = (embedded(whole, values) * embedded(small, values)).sum(axis=1)
        assert cosine.min() > 0.98
        assert cosine.min() < 1 - 1e-6  # it is another model


def test_a_student_of_another_kind(tmp_path: Path) -> None:
    split = toy_split()
    assert max(write_onnx(toy(), split, tmp_path, {}).values()) < 1e-6
    assert embedded(tmp_path / "text.onnx", split.texts[:3]).shape == (3, 8)


def test_what_one_forward_pass_does_not_tell_is_found_out(tmp_path: Path) -> None:
    student: Any = toy()
    student.module = Drifting()
    with pytest.raises(KdbenchError, match=r"the text tower gives other embeddings in ONNX Runtime .* expected 1e-03 at most"):
        write_onnx(student, toy_split(), tmp_path, {})


def test_what_torch_cannot_export(tmp_path: Path) -> None:
    student: Any = toy()
    student.module = Branching(8)
    with pytest.raises(KdbenchError, match="torch cannot export the image tower to ONNX"):
        write_onnx(student, toy_split(), tmp_path, {})


def test_the_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(KdbenchError, match=r"needs onnxscript, which .* pip install 'kdbench\[onnx\]'"):
        write_onnx(toy(), toy_split(), tmp_path, {})
    assert list(tmp_path.iterdir()) == []
