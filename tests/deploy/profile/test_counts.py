"""Parameters, operations and bytes of students, against plain counts and counts by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench.contracts import Part
from kdbench.deploy.profile.counts import count, exported_bytes, nonzero, part_flops, part_parameters
from kdbench.deploy.profile.inference import Inference, at_inference
from kdbench.tasks.retrieval import Retrieval
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.fusion import Fusion
from kdbench_plugins.students.openclip import OpenClip
from tests.support.toys import BEADS, Toy, TwoTowers, bits, module_of, shared_toy, toy

SAMPLES = {"size": BEADS, "captions": ["train string red green blue red green blue"]}
TOWERS = ("image", "text")
WIDTH = 8


def of(student: Any, samples: dict[str, Any] = SAMPLES) -> Inference:
    return at_inference(student, Retrieval(), samples, 2)


@pytest.fixture(scope="module")
def clip() -> Inference:
    return of(OpenClip(config=SMALL), {})


def plain_count(module: nn.Module, *prefixes: str) -> int:
    return sum(value.numel() for name, value in module.named_parameters() if name.startswith(prefixes or ""))


def parameters(inference: Inference) -> tuple[int, int]:
    return count(part_parameters(inference, "image")), count(part_parameters(inference, "text"))


def test_towers_of_two_linear_layers() -> None:
    inference = of(toy(width=WIDTH))
    assert parameters(inference) == (3 * BEADS**2 * WIDTH + WIDTH, 3 * BEADS * WIDTH + WIDTH)
    assert count(list(inference.module.parameters())) == sum(parameters(inference)) + 1  # the logit scale


def test_towers_of_openclip(clip: Inference) -> None:
    image = plain_count(clip.module, "clip.visual.")
    assert parameters(clip) == (image, plain_count(clip.module) - image - 1)


def test_layers_of_both_towers_are_counted_in_both_and_once_in_all() -> None:
    """One matrix under two names, which have biases of their own."""
    inference = of(shared_toy())
    found = {tower: set(map(id, part_parameters(inference, tower))) for tower in TOWERS}
    module: Any = inference.module
    assert found["image"] & found["text"] == {id(module.tower.weight)}
    own = parameters(of(toy(width=WIDTH)))
    assert parameters(inference) == (own[0] + WIDTH**2 + WIDTH, own[1] + WIDTH**2 + WIDTH)
    assert count(list(module.parameters())) == sum(own) + WIDTH**2 + 2 * WIDTH + 1
    assert count([module.tower.weight, module.other_tower.weight]) == WIDTH**2


def test_zeros_are_told_from_other_parameters_and_shared_ones_counted_once() -> None:
    one, other = nn.Parameter(torch.tensor([[0.0, 1.0], [2.0, 0.0]])), nn.Parameter(torch.tensor([0.0, -1.0]))
    assert (count([one, other, one]), nonzero([one, other, one])) == (6, 3)


def test_frozen_parameters_and_dead_units_are_counted() -> None:
    student = toy(width=WIDTH)
    module: Any = student.module
    module.image_tower.weight.requires_grad_(False)
    with torch.no_grad():
        module.text_tower.weight.zero_()
    assert parameters(of(student)) == parameters(of(toy(width=WIDTH)))


def test_the_network_beside_a_student_is_not_counted() -> None:
    inference = of(Fusion(student={"use": "openclip", "config": SMALL}), {})
    assert count(list(inference.module.parameters())) == plain_count(module_of(OpenClip(config=SMALL)))


class Awkward(TwoTowers):
    """Parts in different modes, a frozen bias, a gradient, and statistics that a pass in training mode would change."""

    def __init__(self) -> None:
        super().__init__(WIDTH, dropout=0.5)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.rest = nn.BatchNorm1d(WIDTH).eval()
        self.image_tower.bias.requires_grad_(False)
        self.text_tower.weight.grad = torch.ones_like(self.text_tower.weight)

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.norm(super().encode_image(images)), dim=1)


@pytest.mark.parametrize("measure", [part_parameters, part_flops])
@pytest.mark.parametrize("tower", TOWERS)
def test_the_student_is_left_as_it_was(measure: Callable[[Inference, str], Any], tower: str) -> None:
    module = Awkward()
    inference = of(Toy(module, WIDTH))
    fast_path = torch.backends.mha.get_fastpath_enabled()
    draws = torch.get_rng_state()
    modes = [part.training for part in module.modules()]
    learns = [parameter.requires_grad for parameter in module.parameters()]
    state = bits(module.state_dict())
    measure(inference, tower)
    assert [part.training for part in module.modules()] == modes
    assert [parameter.requires_grad for parameter in module.parameters()] == learns
    assert {name for name, value in module.named_parameters() if value.grad is not None} == {"text_tower.weight"}
    assert module.text_tower.weight.grad is not None
    assert (module.text_tower.weight.grad == 1).all()
    assert bits(module.state_dict()) == state
    assert torch.backends.mha.get_fastpath_enabled() == fast_path
    assert torch.equal(torch.get_rng_state(), draws)


def test_what_was_frozen_is_frozen_again_after_an_error() -> None:
    module = Awkward()
    inference = Inference(module, {"image": Part("image", torch.zeros(1, 2), lambda _, inputs: module.encode_image(inputs))})
    with pytest.raises(RuntimeError):
        part_parameters(inference, "image")
    assert not module.image_tower.bias.requires_grad
    assert module.training


def test_flops_of_a_linear_layer() -> None:
    inference = of(toy(width=WIDTH))
    assert part_flops(inference, "image") == 2 * 3 * BEADS**2 * WIDTH
    assert part_flops(inference, "text") == 2 * 3 * BEADS * WIDTH


def test_flops_of_a_transformer(clip: Inference) -> None:
    """open_clip's text tower: of each layer the projections, the attention, the feed-forward; and the last projection."""
    text = SMALL["text_cfg"]
    length, width = text["context_length"], text["width"]
    projections, attention, forward = 4 * length * width**2, 2 * length**2 * width, 8 * length * width**2
    expected = 2 * (text["layers"] * (projections + attention + forward) + width * SMALL["embed_dim"])
    assert part_flops(clip, "text") == expected


class Attentive(TwoTowers):
    """Attention that torch runs in a kernel of its own when nothing is trained."""

    def __init__(self) -> None:
        super().__init__(WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(self.layer(super().encode_text(texts)[:, None])[:, 0], dim=1)


def test_flops_of_torchs_fast_path_are_counted() -> None:
    found = part_flops(of(Toy(Attentive(), WIDTH)), "text")
    assert found == 2 * (3 * BEADS * WIDTH + 4 * WIDTH**2 + 2 * WIDTH + 2 * 16 * WIDTH)


def test_bytes_are_those_of_a_file_in_float32(clip: Inference, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in clip.module.state_dict().items()}, path)
    assert exported_bytes(clip.module) == path.stat().st_size == len(path.read_bytes())
    assert sum(value.nbytes for value in load(path.read_bytes()).values()) < exported_bytes(clip.module)
    for dtype in (torch.float64, torch.bfloat16):
        assert exported_bytes(module_of(toy(width=WIDTH)).to(dtype)) == exported_bytes(module_of(toy(width=WIDTH)))


def test_a_shared_tensor_is_written_once() -> None:
    shared, apart = shared_toy(), shared_toy()
    module: Any = apart.module
    module.other_tower.weight = nn.Parameter(module.tower.weight.detach().clone())
    saved = exported_bytes(module_of(apart)) - exported_bytes(module_of(shared))
    assert 4 * WIDTH**2 < saved < 4 * WIDTH**2 + 200  # the matrix and its lines in the header
