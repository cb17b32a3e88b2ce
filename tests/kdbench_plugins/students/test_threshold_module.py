"""Soft thresholds: their function, their components, and how they are learned and held."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from kdbench import Encoder, KdbenchError, Modality
from kdbench.training.average import Average
from kdbench_plugins.students.openclip import OpenClip
from kdbench_plugins.students.threshold_components import Side, components
from kdbench_plugins.students.threshold_module import ThresholdModule, shrunk, sparsity
from tests.support.clip_folders import CONFIG
from tests.support.toys import BEADS, TwoTowers, toy

PARTS: dict[Side, list[list[str]]] = {"image": [["image_tower.weight"]], "text": [["text_tower.weight"]]}
TARGETS: dict[Side, float] = {"image": 0.3, "text": 0.6}


def wrapped(targets: dict[Side, float] = TARGETS, start: float = 1e-3, pressure: float = 0.3) -> ThresholdModule:
    """Around two linear towers of 864 and 144 weights."""
    torch.manual_seed(0)
    return ThresholdModule(toy().module, PARTS, targets, start, 50.0, pressure)


def trained(module: ThresholdModule, steps: int) -> None:
    """Learns eight pairs by heart."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, BEADS, BEADS, 3), generator=generator, dtype=torch.uint8)
    texts = torch.randint(0, 3, (8, BEADS), generator=generator)
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3)
    module.train()
    for _ in range(steps):
        optimizer.zero_grad()
        views = module.encode_views(images, texts)
        loss = cross_entropy(module.logit_scale.exp() * views[0] @ views[1].T, torch.arange(8))
        (loss + module.auxiliary_loss(views, cast(Any, None))).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_shrunk_by_hand_with_its_gradients() -> None:
    weight = torch.tensor([0.5, -0.5, 0.1, -0.1, 0.2], requires_grad=True)
    s = torch.tensor(0.2).logit().requires_grad_()
    found = shrunk(weight, s.sigmoid())
    torch.testing.assert_close(found, torch.tensor([0.3, -0.3, 0.0, 0.0, 0.0]))
    found.backward(torch.tensor([1.0, 2.0, 5.0, 5.0, 5.0]))  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert s.grad is not None
    assert weight.grad.tolist() == [1.0, 2.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(s.grad, torch.tensor((-1.0 + 2.0) * 0.2 * 0.8))  # −Σ sign(W) g · σ'(s)


def test_sparsity_is_the_share_of_entries_within_the_threshold() -> None:
    weights = [torch.tensor([0.1, -0.2, 0.3]), torch.tensor([[0.05], [-0.5]])]
    assert float(sparsity(weights, [torch.tensor(0.2), torch.tensor(0.1)])) == pytest.approx(3 / 5)
    zeros = sum(int((shrunk(w, t) == 0).sum()) for w, t in zip(weights, (torch.tensor(0.2), torch.tensor(0.1)), strict=True))
    assert zeros == 3


def test_components_are_the_towers_and_their_projections() -> None:
    found = components(OpenClip(config=CONFIG))
    assert [len(names) for side in found.values() for names in side] == [9, 1, 8, 1]
    assert [found["image"][1], found["text"][1]] == [["clip.visual.proj"], ["clip.text_projection"]]
    assert found["image"][0][0] == "clip.visual.conv1.weight"
    assert not [name for side in found.values() for names in side for name in names if "embedding" in name or "bias" in name]


class Blank:
    """Three numbers of any item."""

    base: Encoder | None = None

    def __init__(self, modality: Modality) -> None:
        self.modality: Modality = modality
        self.key = f"blank {modality}"

    def encode(self, items: Any, device: str) -> torch.Tensor:
        return torch.ones(len(items), 3, device=device)


class Linears(nn.Module):
    """A linear layer for each tower, or one for both."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.image, self.text = nn.Linear(3, 4), nn.Linear(3, 4)
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.shared = shared

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return normalize(self.image(images), dim=1)

    def encode_text(self, texts: torch.Tensor) -> torch.Tensor:
        return normalize((self.image if self.shared else self.text)(texts), dim=1)


class Pair:
    """A student of two linear layers."""

    width = 4

    def __init__(self, shared: bool = False) -> None:
        self.images: Encoder = Blank("image")
        self.texts: Encoder = Blank("text")
        self.module: Any = Linears(shared)


def test_towers_that_can_be_pruned_and_others() -> None:
    student = Pair()
    assert components(student) == {"image": [["image.weight"]], "text": [["text.weight"]]}
    assert student.module.training
    with pytest.raises(KdbenchError, match=r"found 'image\.weight' in both towers; expected towers that share no weights"):
        components(Pair(shared=True))
    student.module.text.requires_grad_(False)
    with pytest.raises(KdbenchError, match="found no trainable matrix or filter in the text tower; expected weights to prune"):
        components(student)


def test_towers_reach_their_own_sparsities_and_their_thresholds_are_held() -> None:
    module = wrapped()
    assert max(module.sparsities().values()) < 0.05
    trained(module, 150)
    found = module.sparsities()
    assert module.reached.all()
    assert all(0 <= found[side] - target < 0.1 for side, target in TARGETS.items())
    assert found["text"] - found["image"] > 0.15
    held = module.held.clone()
    trained(module, 5)  # with an optimizer of its own, whose momentum is new
    assert torch.equal(module.held, held)
    assert [float(cast(torch.Tensor, raw.grad)) for raw in module.raw] == [0.0, 0.0]


def test_without_pressure_the_loss_alone_moves_thresholds() -> None:
    module = wrapped(pressure=0.0)
    before = [float(raw.detach()) for raw in module.raw]
    trained(module, 3)
    assert all(float(raw.detach()) != old for raw, old in zip(module.raw, before, strict=True))


def test_the_copy_has_the_zeros_and_the_function() -> None:
    module, copy = wrapped(), TwoTowers(8)
    trained(module, 80)
    copy.load_state_dict(cast(nn.Module, module.student).state_dict())
    module.shrink(copy)
    module.eval()
    images = torch.randint(0, 256, (4, BEADS, BEADS, 3), dtype=torch.uint8)
    texts = torch.randint(0, 3, (4, BEADS))
    assert torch.equal(copy.encode_image(images), module.encode_image(images))
    assert torch.equal(copy.encode_text(texts), module.encode_text(texts))
    shares = {name: float((getattr(copy, f"{name}_tower").weight == 0).float().mean()) for name in ("image", "text")}
    assert shares == pytest.approx(module.sparsities(), abs=1e-6)
    assert float((module.student.image_tower.weight == 0).float().mean()) == 0.0  # the original is left alone


def test_evaluation_changes_nothing() -> None:
    module = wrapped(targets={"image": 1e-3, "text": 1e-3}, start=0.1).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.encode_image(torch.zeros(2, BEADS, BEADS, 3, dtype=torch.uint8))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_an_average_of_the_weights_has_no_holes() -> None:
    module = wrapped()
    average = Average(module, 0.9)
    trained(module, 60)
    average.update()
    assert all(torch.isfinite(value).all() for value in average.values.values() if value.is_floating_point())
