"""A trained tower as an encoder, on a toy student."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench_plugins.teachers.tower import Tower, frozen_towers, tensor_of
from tests.support.toys import Beads, module_of, towers_of, toy


def test_towers_wrap_both_sides_of_a_student() -> None:
    student = toy()
    towers = frozen_towers(student, "toy")
    images = np.stack(Beads().split("train").images[:3])
    assert towers.image.base is student.images
    assert towers.text.base is student.texts
    assert (towers.image.modality, towers.text.modality) == ("image", "text")
    expected = student.module.encode_image(torch.from_numpy(images))
    found = towers.image.encode(images, "cpu")
    assert torch.equal(found, expected)
    assert not found.requires_grad


def test_scale_is_exponentiated_and_bounded() -> None:
    for logarithm, scale in ((math.log(20.0), 20.0), (10.0, 100.0)):
        student = toy()
        towers_of(student).logit_scale.data.fill_(logarithm)
        assert frozen_towers(student, "toy").logit_scale == pytest.approx(scale)


def test_frozen_whatever_is_called_on_it() -> None:
    student = toy(dropout=0.5)
    tower = frozen_towers(student, "toy").image
    images = np.stack(Beads().split("train").images[:4])
    module_of(student).train().requires_grad_(True)
    assert torch.equal(tower.encode(images, "cpu"), tower.encode(images, "cpu"))
    assert not module_of(student).training
    assert not any(parameter.requires_grad for parameter in module_of(student).parameters())


def test_key_follows_weights_base_design_and_modality() -> None:
    def towers(seed: int = 0, design: str = "toy", base: str = "pixels") -> tuple[str, str]:
        torch.manual_seed(seed)
        student = toy()
        student.images.key = base  # type: ignore[misc]  # read-only to those who are handed one
        found = frozen_towers(student, design)
        return found.image.key, found.text.key

    assert towers() == towers()
    assert len({*towers(), *towers(seed=1), *towers(design="other")}) == 6
    assert towers()[0] != towers(base="other pixels")[0]


def test_the_two_towers_of_a_module_have_two_keys() -> None:
    student = toy()
    module = towers_of(student)
    assert Tower(module, student.images, "toy").key != Tower(module, student.texts, "toy").key


def test_tensors_and_arrays_are_both_taken() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    array.flags.writeable = False
    assert torch.equal(tensor_of(array, "cpu"), torch.arange(6, dtype=torch.int32).reshape(2, 3))
    tensor = torch.zeros(2)
    assert tensor_of(tensor, "cpu") is tensor


@pytest.mark.filterwarnings("error")
def test_read_only_maps_are_taken_without_a_warning(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", np.ones((2, 3), dtype=np.float16))
    tensor_of(np.load(tmp_path / "values.npy", mmap_mode="r")[:1], "cpu")
