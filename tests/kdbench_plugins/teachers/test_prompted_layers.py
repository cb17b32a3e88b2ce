"""Prompts in the last layers of a small open_clip model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdbench_plugins.students.openclip import OpenClip
from kdbench_plugins.teachers.hidden_states import HiddenStates
from kdbench_plugins.teachers.prompted_layers import PromptedTowers

CLIP: dict[str, Any] = {
    "embed_dim": 10,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 3},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 12, "heads": 2, "layers": 3},
}
WIDTHS = 16 + 12


@pytest.fixture(scope="module")
def student() -> OpenClip:
    torch.manual_seed(0)
    return OpenClip(config=CLIP)


@pytest.fixture(scope="module")
def read(student: OpenClip) -> tuple[Tensor, Tensor]:
    """Pixels and tokens of three pairs."""
    images = torch.randint(0, 256, (3, 16, 16, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return images, student.texts.encode(["a cat", "a dog and two cats", "rain"], "cpu")


def states(student: OpenClip, read: tuple[Tensor, Tensor], layers: int) -> list[Tensor]:
    encoders = [HiddenStates(student.module, base, layers) for base in (student.images, student.texts)]
    return [encoder.encode(inputs, "cpu") for encoder, inputs in zip(encoders, read, strict=True)]


def prompted(
    student: OpenClip, layers: int, counts: tuple[int, int, int] = (2, 3, 4), inner: int | None = None
) -> PromptedTowers:
    torch.manual_seed(2)
    module: Any = student.module
    return PromptedTowers(module.clip, layers, counts, inner)


@pytest.mark.parametrize(
    ("layers", "counts", "inner"), [(1, (4, 4, 4), None), (2, (1, 0, 0), 5), (3, (2, 3, 4), 1), (2, (5, 1, 2), 20)]
)
def test_the_number_of_trained_parameters(
    student: OpenClip, layers: int, counts: tuple[int, int, int], inner: int | None
) -> None:
    m = inner or 8
    found = sum(p.numel() for p in prompted(student, layers, counts, inner).parameters() if p.requires_grad)
    assert found == layers * ((sum(counts) + 2 * m + 1) * WIDTHS + 2 * m)


@pytest.mark.parametrize("layers", [1, 3])
def test_without_prompts_the_layers_are_those_of_the_towers(
    student: OpenClip, read: tuple[Tensor, Tensor], layers: int
) -> None:
    towers, module = prompted(student, layers), student.module
    images, texts = states(student, read, layers)
    words = texts.abs().sum(dim=2) > 0
    with torch.no_grad():
        for layer in range(layers):
            images = towers.image.through(layer, images, images[:, :0], None)
            texts = towers.text.through(layer, texts, texts[:, :0], words.cummax(dim=1).values)
        end = words.sum(dim=1) - 1
        clip: Any = module.clip  # type: ignore[attr-defined]
        image = normalize(towers.image.norm(images[:, 0]) @ clip.visual.proj, dim=1)
        text = normalize(towers.text.norm(texts[torch.arange(3), end]) @ clip.text_projection, dim=1)
        torch.testing.assert_close(image, module.encode_image(read[0]))
        torch.testing.assert_close(text, module.encode_text(read[1]))


@torch.no_grad()
def test_each_tower_hears_the_other_and_ignores_padding(student: OpenClip, read: tuple[Tensor, Tensor]) -> None:
    towers = prompted(student, 2).eval()
    images, texts = states(student, read, 2)
    found = towers(images, texts)
    assert found.shape == (3, towers.width) == (3, WIDTHS)
    torch.testing.assert_close(towers(images, torch.cat([texts, torch.zeros(3, 2, 12)], dim=1)), found)
    torch.testing.assert_close(towers(images[1:], texts[1:]), found[1:])
    other_text, other_image = towers(images, texts.flip(0)), towers(images.flip(0), texts)
    assert (other_text[0, :16] - found[0, :16]).abs().max() > 1e-5
    assert (other_image[0, 16:] - found[0, 16:]).abs().max() > 1e-5


def test_prompts_of_all_kinds_learn_and_the_towers_do_not(student: OpenClip, read: tuple[Tensor, Tensor]) -> None:
    towers = prompted(student, 2).train()
    assert not any(part.training for part in (towers.image.frozen[0], towers.text.norm))
    towers(*states(student, read, 2)).square().sum().backward()
    for name, parameter in towers.named_parameters():
        frozen = ".frozen." in name or ".norm." in name
        assert (parameter.grad is None) == frozen, name
        assert frozen or parameter.grad.abs().sum() > 0, name  # type: ignore[union-attr]
