"""A student's embeddings of a split and the ranks they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench.errors import Diverged
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.one_way import ranks
from tests.support.toys import SPLITS, Beads, cached, encoded, module_of, rank_split, towers_of, toy


def test_a_split_is_encoded_as_the_student_reads_it(tmp_path: Path) -> None:
    student, dataset, source = toy(), cached(tmp_path), Beads()
    for name in SPLITS:
        split, expected = encode_split(dataset, student, name), source.split(name)
        np.testing.assert_array_equal(split.images, np.stack(list(expected.images)))
        np.testing.assert_array_equal(split.texts, student.texts.encode(expected.captions, "cpu").numpy())
        np.testing.assert_array_equal(split.image_concepts, expected.image_concepts)
        np.testing.assert_array_equal(split.caption_concepts, expected.caption_concepts)


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_ranks_are_those_of_the_embeddings(tmp_path: Path, batch: int) -> None:
    torch.manual_seed(0)
    student = toy()
    split = encoded(tmp_path, student, "train")
    found = rank_split(student, split, batch)
    with torch.no_grad():
        images = student.module.encode_image(torch.from_numpy(np.array(split.images))).numpy()
        texts = student.module.encode_text(torch.from_numpy(np.array(split.texts))).numpy()
    np.testing.assert_array_equal(found.text, ranks(images, texts, split.image_concepts, split.caption_concepts))
    np.testing.assert_array_equal(found.image, ranks(texts, images, split.caption_concepts, split.image_concepts))
    assert len(found.text) == 32
    assert len(found.image) == 48


def test_a_student_that_knows_the_truth_ranks_first(tmp_path: Path) -> None:
    """Both towers tell the colours of the beads: image columns are averaged, tokens are one-hot already."""
    student = toy(width=18)
    module = towers_of(student)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        for row in range(1, 6):
            for feature in range(18):
                module.image_tower.weight[feature, row * 18 + feature] = 1
        module.image_tower.bias.fill_(1.0)
        module.text_tower.weight.copy_(torch.eye(18))
    found = rank_split(student, encoded(tmp_path, student, "test"))
    assert found.text.tolist() == [1] * 20
    assert found.image.tolist() == [1] * 30


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_kept(tmp_path: Path, training: bool) -> None:
    torch.manual_seed(0)
    student = toy(dropout=0.5)
    module = module_of(student).train(training)
    split = encoded(tmp_path, student, "train")
    before = torch.get_rng_state()
    first, second = (rank_split(student, split, 16) for _ in range(2))
    np.testing.assert_array_equal(first.text, second.text)
    np.testing.assert_array_equal(first.image, second.image)
    assert torch.get_rng_state().equal(before)
    assert module.training is training
    assert module.dropout.training is training  # type: ignore[union-attr]


def test_a_student_that_is_no_longer_finite_has_diverged(tmp_path: Path) -> None:
    student = toy(poisoned=True)
    with pytest.raises(Diverged, match="not finite"):
        rank_split(student, encoded(tmp_path, student, "test"))
