"""The student `openclip`: real open_clip models, trained for a step and loaded back by open_clip."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from kdbench import KdbenchError
from kdbench.plugins.parameters import params_model
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.openclip import OpenClip, kdbench_students
from tests.support.toys import Beads

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "mobilenetv2_035", "image_size": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CAPTIONS = ["a cat", "a dog in a very long story that does not fit", "two cats", "rain"]


def build(seed: int = 0, **params: Any) -> OpenClip:
    torch.manual_seed(seed)
    return OpenClip(**({"config": deepcopy(CONFIG)} | params))


def module_of(student: OpenClip) -> ClipModule:
    return cast(ClipModule, student.module)


@pytest.fixture(scope="module")
def student() -> OpenClip:
    return build()


def noise(count: int, size: int = 40) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def batch(student: OpenClip) -> tuple[torch.Tensor, torch.Tensor]:
    return student.images.encode(noise(4), "cpu"), student.texts.encode(CAPTIONS, "cpu")


def test_what_the_towers_read(student: OpenClip) -> None:
    images, texts = batch(student)
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (4, 32, 32, 3))
    assert (texts.dtype, tuple(texts.shape)) == (torch.int32, (4, 8))


def test_gradients_do_not_depend_on_what_is_computed_again() -> None:
    """And a tower does compute its blocks again: a third more operations."""
    config = CONFIG | {"vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "head_width": 16, "layers": 3}}
    found = []
    for again in (False, True):
        student = build(config=config, grad_checkpointing=again)
        module = module_of(student).train()
        images, texts = batch(student)
        with FlopCounterMode(display=False) as counter:
            (module.encode_image(images) * module.encode_text(texts)).sum().backward()  # type: ignore[no-untyped-call]
        grads = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
        found.append((counter.get_total_flops(), grads))
    (plain, expected), (checkpointed, given) = found
    assert 1.2 < checkpointed / plain <= 1.34
    assert given.keys() == expected.keys()
    for name, grad in given.items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-5, atol=1e-7)


def test_same_seed_same_weights_and_the_same_draws_after() -> None:
    def state(seed: int) -> tuple[dict[str, torch.Tensor], float]:
        return module_of(build(seed)).state_dict(), torch.rand(()).item()

    (one, drawn), (same, drawn_again), (other, _) = state(0), state(0), state(1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert drawn == drawn_again
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_step_moves_both_towers() -> None:
    student = build()
    module = module_of(student)
    images, texts = batch(student)
    vectors = module.train().encode_image(images), module.encode_text(texts)
    scores = module.logit_scale.exp() * vectors[0] @ vectors[1].T
    torch.nn.functional.cross_entropy(scores, torch.arange(4)).backward()  # type: ignore[no-untyped-call]
    still = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_open_clip_loads_it_back(tmp_path: Path) -> None:
    """With nothing but the config and the state, in the files open_clip itself looks for."""
    student = build()
    module = module_of(student).eval()
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": student.config}))
    torch.save(module.clip.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    clip = import_open_clip().create_model(f"local-dir:{tmp_path}").eval()
    images, texts = batch(student)
    pixels = images.permute(0, 3, 1, 2).float() * module.scale + module.shift
    with torch.no_grad():
        torch.testing.assert_close(clip.encode_image(pixels, normalize=True), module.encode_image(images))
        torch.testing.assert_close(clip.encode_text(texts.long(), normalize=True), module.encode_text(texts))
    # and kdbench as well, by the folder's name or by the checkpoint
    torch.save(module.clip.state_dict(), tmp_path / "weights.pt")
    for again in (
        build(seed=1, config=None, model=f"local-dir:{tmp_path}"),
        build(seed=1, pretrained=str(tmp_path / "weights.pt")),
    ):
        assert torch.equal(module_of(again).eval().encode_image(images), module.encode_image(images))
        assert again.images.key == student.images.key
        assert again.texts.key == student.texts.key


def test_a_model_by_its_name() -> None:
    student = OpenClip(model="ViT-S-32-alt")
    assert student.width == 256
    assert student.images.encode(noise(1), "cpu").shape == (1, 224, 224, 3)
    assert student.texts.encode(["cat"], "cpu").shape == (1, 77)


def test_small_datasets_are_enlarged(student: OpenClip) -> None:
    beads = np.stack(Beads().split("test").images[:2])
    assert student.images.encode(beads, "cpu").shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"config": None}, "found neither"),
        ({"model": "RN50"}, "found both"),
        ({"config": None, "model": "RN-50"}, r"did you mean 'RN50'\?"),
        ({"config": None, "model": "RN50", "pretrained": "open-ai"}, r"did you mean 'openai'\?"),
        ({"pretrained": "nowhere.pt"}, r"found no file 'nowhere.pt'"),
        ({"config": CONFIG | {"text_cfg": {"vocab_size": 1000}}}, "vocab_size is 1000, expected at least 49408"),
    ],
)
def test_mistakes_are_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        build(**params)


def test_a_checkpoint_of_another_model(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(KdbenchError, match=r"the checkpoint .*other\.pt"):
        build(pretrained=str(tmp_path / "other.pt"))


def test_schema() -> None:
    [offer] = kdbench_students()
    schema = params_model(offer)
    schema(config=CONFIG)
    schema(model="RN50", pretrained="openai")
    with pytest.raises(ValidationError, match="pretrain"):
        schema(model="RN50", pretrain="openai")
