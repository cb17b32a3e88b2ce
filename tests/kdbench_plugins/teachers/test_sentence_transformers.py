"""The `sentence_transformers` teacher on the packaged model's real weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kdbench import KdbenchError, NoTower
from kdbench.testing import conform
from kdbench_plugins.teachers.frozen_text import FrozenText, model_folder
from kdbench_plugins.teachers.sentence_transformers import SentenceTransformers, check, kdbench_teachers

CAPTIONS = ["a cat sleeps on the sofa", "stock markets fell on Friday"]


def test_a_folder_gives_the_packages_own_embeddings() -> None:
    from sentence_transformers import SentenceTransformer

    towers = SentenceTransformers(model=str(model_folder())).towers(None)  # type: ignore[arg-type]  # it reads no data
    expected = SentenceTransformer(str(model_folder()), device="cpu").encode(CAPTIONS, normalize_embeddings=True)
    torch.testing.assert_close(towers.text.encode(CAPTIONS, "cpu"), torch.from_numpy(expected))
    assert isinstance(towers.image, NoTower)


def test_the_packaged_model_shares_its_cache_with_backbones() -> None:
    assert SentenceTransformers().towers(None).text.key == FrozenText("minilm_l6").key  # type: ignore[arg-type]


def test_conform() -> None:
    (offer,) = kdbench_teachers()
    assert [finding for finding in conform(offer, "teacher") if finding.outcome != "holds"] == []


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    check(model="sentence-transformers/all-mpnet-base-v2")
    with pytest.raises(KdbenchError, match=r"found no modules\.json"):
        check(model=str(tmp_path))
    with pytest.raises(KdbenchError, match=r"found 'nothing'; expected a folder, OWNER/NAME on the hub, or minilm_l6"):
        check(model="nothing")
