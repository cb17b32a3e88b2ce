"""What the last layers of a tower are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench import KdbenchError
from kdbench_plugins.students.openclip import OpenClip
from kdbench_plugins.teachers.hidden_states import HiddenStates, last_layers
from tests.kdbench_plugins.teachers.test_prompted_layers import CLIP

IMAGES, CAPTIONS = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8).numpy(), ["a cat", "a dog and two cats"]


def test_positions_before_the_last_layers() -> None:
    torch.manual_seed(0)
    student = OpenClip(config=CLIP)
    states = [HiddenStates(student.module, base, 1) for base in (student.images, student.texts)]
    inputs = [student.images.encode(IMAGES, "cpu"), student.texts.encode(CAPTIONS, "cpu")]
    image, text = (state.encode(read, "cpu") for state, read in zip(states, inputs, strict=True))
    assert image.shape == (2, 5, 16)
    assert text.shape == (2, 8, 12)
    assert text.abs().sum(dim=2).gt(0).sum(dim=1).tolist() == [4, 7], "words, and the tokens of start and end"
    deeper = HiddenStates(student.module, student.images, 2)
    assert deeper.key != states[0].key
    assert not torch.equal(deeper.encode(inputs[0], "cpu"), image)
    assert not any(parameter.requires_grad for parameter in torch.nn.Module.parameters(states[0].module))


def test_towers_that_cannot_be_prompted() -> None:
    clip: Any = OpenClip(config=CLIP).module.clip  # type: ignore[attr-defined]
    with pytest.raises(KdbenchError, match="found 3 layers in the image tower; expected at least 4, those with prompts"):
        last_layers(clip, "image", 4)
    clip.visual.transformer = torch.nn.Identity()
    with pytest.raises(KdbenchError, match="found an image tower that is no transformer of open_clip's own"):
        last_layers(clip, "image", 1)
