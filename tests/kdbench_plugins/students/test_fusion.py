"""The student `fusion`: around a toy with tokens through the real training loop, and around open_clip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Encoder, KdbenchError, Modality, Offer, Pairs, PluginError, Student, StudentModule
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import check_deeper, checked_params, construct, nested_uses
from kdbench.runs.execute import execute
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.testing import check_student
from kdbench.training.step import backward
from kdbench_plugins.students import openclip
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.fusion import Fusion, kdbench_students
from kdbench_plugins.students.fusion_network import FusionModule
from tests.support.toys import (
    BEADS,
    COLOURS,
    Count,
    batch_of,
    bits,
    module_of,
    pairs_with,
    plugged,
    run_context,
    run_spec,
    toy_plugins,
)

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": 48},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 1},
}


class Corner:
    """The first pixels of images of any size."""

    modality: Modality = "image"
    base: Encoder | None = None
    key = "corner"

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.stack([torch.tensor(item)[:BEADS, :BEADS] for item in items]).to(device)


class Words:
    """The colours that a caption names, and 3 for every bead without one."""

    modality: Modality = "text"
    base: Encoder | None = None
    key = "words"

    def encode(self, items: Any, device: str) -> Tensor:
        named = [[COLOURS.index(word) for word in item.split() if word in COLOURS] for item in items]
        return torch.tensor([colours + [3] * (BEADS - len(colours)) for colours in named], device=device)


class Beaded(nn.Module):
    """One token a bead; embeddings are a linear map of them all."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.name = nn.Linear(3 * BEADS, 5), nn.Embedding(4, 7)
        self.norm = nn.BatchNorm1d(3 * BEADS)
        self.dropout = nn.Dropout(0.1)
        self.image, self.text = nn.Linear(5 * BEADS, 8), nn.Linear(7 * BEADS, 8)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image_tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        beads = (images.float() / 255 - 0.5).transpose(1, 2).flatten(2)
        tokens = self.look(self.dropout(self.norm(beads.transpose(1, 2)).transpose(1, 2)))
        return normalize(self.image(tokens.flatten(1)), dim=1), tokens

    def encode_text_tokens(self, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens = self.name(texts)
        return normalize(self.text(tokens.flatten(1)), dim=1), tokens, texts != 3

    def encode_image(self, images: Tensor) -> Tensor:
        return self.encode_image_tokens(images)[0]

    def encode_text(self, texts: Tensor) -> Tensor:
        return self.encode_text_tokens(texts)[0]


class Stringed:
    """A student of beads, one after another."""

    width = 8

    def __init__(self) -> None:
        self.images: Encoder = Corner()
        self.texts: Encoder = Words()
        self.module: StudentModule = Beaded()


LEFT: StudentModule = Beaded()
OFFERS: list[Offer[Student]] = [Offer("stringed", Stringed), *kdbench_students(), *openclip.kdbench_students()]
PLUGINS = toy_plugins(students=OFFERS)


def build(seed: int = 0, inner: dict[str, Any] | None = None, **params: Any) -> Fusion:
    torch.manual_seed(seed)
    with building_with(PLUGINS):
        return Fusion(student=inner or {"use": "stringed"}, **({"width": 12, "heads": 3} | params))


def fusion_of(student: Fusion) -> FusionModule:
    return cast(FusionModule, student.module)


def read(count: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (count, BEADS, BEADS, 3), generator=generator, dtype=torch.uint8)
    texts = torch.randint(0, 3, (count, BEADS), generator=generator)
    return images, texts.masked_fill(torch.arange(BEADS) > torch.arange(count)[:, None], 3)


@pytest.mark.parametrize("inner", [{"use": "stringed"}, {"use": "openclip", "config": CONFIG}])
def test_the_students_initial_weights_are_those_it_has_alone(inner: dict[str, Any]) -> None:
    fused = build(5, inner)
    after = torch.rand(())
    torch.manual_seed(5)
    alone = construct(PLUGINS.find("student", inner["use"]).offer, {k: v for k, v in inner.items() if k != "use"})
    assert bits(module_of(fused.student).state_dict()) == bits(module_of(alone).state_dict())
    assert module_of(fused.student).training == module_of(alone).training
    again = build(5, inner)
    assert bits(module_of(again).state_dict()) == bits(module_of(fused).state_dict())
    assert torch.rand(()) == after
    assert (fused.width, fused.images.key, fused.texts.key) == (alone.width, alone.images.key, alone.texts.key)


@pytest.mark.parametrize("inner", [{"use": "stringed"}, kdbench_students()[0].example["student"]])
def test_the_properties_of_a_student(inner: dict[str, Any]) -> None:
    with building_with(PLUGINS):
        check_student(lambda: Fusion(student=inner))


def test_fusion_parts_differ_by_seed() -> None:
    one, other = (bits(fusion_of(build(seed)).fusion.state_dict()) for seed in (0, 1))
    assert one["image_to_text.in_proj_weight"] != other["image_to_text.in_proj_weight"]


@torch.no_grad()
def test_embeddings_are_the_students_own() -> None:
    student = build()
    module, inner = fusion_of(student).eval(), student.student.module
    images, texts = read()
    assert module.encode_image(images).equal(inner.encode_image(images))
    assert module.encode_text(texts).equal(inner.encode_text(texts))
    assert module.logit_scale is inner.logit_scale
    image, text, image_tokens, text_tokens, words = module.encode_views(images, texts)
    assert image.equal(inner.encode_image(images))
    assert text.equal(inner.encode_text(texts))
    assert (image_tokens.shape, text_tokens.shape) == ((8, BEADS, 5), (8, BEADS, 7))
    assert words.equal((texts != 3).float())


def test_a_text_without_a_word_is_read_as_it_is() -> None:
    module = fusion_of(build())
    images, _ = read(2)
    views = module.encode_views(images, torch.tensor([[3] * BEADS, [0, 1] + [3] * (BEADS - 2)]))
    assert views[4].tolist() == [[1.0] * BEADS, [1.0, 1.0] + [0.0] * (BEADS - 2)]
    assert torch.isfinite(module.auxiliary_loss(views, batch_of(torch.arange(2))))


def test_nothing_is_left_when_finalised() -> None:
    student = build()
    assert any(name.startswith("fusion.") for name in module_of(student).state_dict())
    assert student.finalize() is student.student.module
    assert set(cast(nn.Module, student.finalize()).state_dict()) == set(Beaded().state_dict())


def test_what_the_inner_student_would_drop_is_dropped_too() -> None:
    class Shedding(Stringed):
        def finalize(self) -> StudentModule:
            return LEFT

    with building_with(toy_plugins(students=[Offer("shedding", Shedding)])):
        assert Fusion(student={"use": "shedding"}).finalize() is LEFT


def test_the_inner_student_is_prepared_and_trained_from_what_it_prepared() -> None:
    class Started(Stringed):
        def prepare(self, data: Any) -> None:
            torch.nn.init.constant_(cast(Beaded, self.module).look.weight, data)

    with building_with(toy_plugins(students=[Offer("started", Started)])):
        student = Fusion(student={"use": "started"})
    student.prepare(cast(Any, 0.25))
    assert fusion_of(student).get_parameter("student.look.weight").eq(0.25).all()


def test_one_step_is_the_gradient_of_the_summed_loss_and_goes_through_the_towers_once() -> None:
    weight, concepts = 0.7, torch.tensor([0, 1, 2, 2, 3, 4, 5, 5])
    images, texts = read()
    batch = batch_of(concepts)
    student, plain = build(weight=weight), build(weight=weight)
    module, reference = fusion_of(student).train(), fusion_of(plain).train()

    passes = {"look": 0, "name": 0}
    for name in passes:

        def count(_: object, __: object, output: Tensor, name: str = name) -> None:
            output.register_hook(lambda _: passes.update({name: passes[name] + 1}))  # type: ignore[no-untyped-call]

        module.student.get_submodule(name).register_forward_hook(count)

    torch.manual_seed(1)
    auxiliary = Count(module.auxiliary_loss)
    result = backward(
        Retrieval(), module.encode_views(images, texts), pairs_with(module.logit_scale.exp()), batch, None, (), auxiliary
    )
    assert passes == {"look": 1, "name": 1}
    assert auxiliary.calls == 1

    torch.manual_seed(1)
    views = reference.encode_views(images, texts)
    task = pair_losses(Pairs(views[0], views[1], reference.logit_scale.exp()), batch.same).mean()
    whole = task + reference.auxiliary_loss(views, batch)
    whole.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(result.task, task.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(result.loss, whole.detach(), rtol=1e-6, atol=0)
    for (name, found), expected in zip(module.named_parameters(), reference.parameters(), strict=True):
        assert found.grad is not None, name
        assert expected.grad is not None, name
        torch.testing.assert_close(found.grad, expected.grad, rtol=2e-5, atol=1e-7, msg=name)


def test_matching_moves_both_towers_and_not_the_embeddings() -> None:
    module = fusion_of(build()).train()
    images, texts = read()
    module.auxiliary_loss(module.encode_views(images, texts), batch_of(torch.arange(8))).backward()  # type: ignore[no-untyped-call]
    moved = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    inner = {name for name in moved if name.startswith("student.")}
    assert inner == {f"student.{name}" for name in ("look.weight", "look.bias", "norm.weight", "norm.bias", "name.weight")}
    assert {name for name, _ in module.named_parameters() if name.startswith("fusion.")} <= moved


def test_a_run_from_the_suite_to_the_weights_that_are_kept(tmp_path: Path) -> None:
    place = run_context(tmp_path, students=OFFERS)
    params = checked_params(place.plugins.find("student", "fusion").offer, {"student": {"use": "stringed"}, "heads": 2})
    with building_with(place.plugins):
        record = execute(run_spec(student=plugged("fusion", **params)), place)
    assert (record.status, record.reason) == ("ok", "")
    assert record.reconstructions == ["fusion"]
    [kept] = (tmp_path / "cache").glob("students/**/weights.safetensors")
    assert set(load_file(kept)) == set(Beaded().state_dict())


@pytest.mark.parametrize("custom", [False, True])
def test_around_open_clip(custom: bool) -> None:
    student = build(inner={"use": "openclip", "config": CONFIG | {"custom_text": custom}})
    module = fusion_of(student).train()
    images = student.images.encode(torch.randint(0, 256, (4, 40, 40, 3), dtype=torch.uint8).numpy(), "cpu")
    texts = student.texts.encode(["a cat", "a dog in a very long story that does not fit", "two cats", "rain"], "cpu")
    batch = batch_of(torch.arange(4))
    views = module.encode_views(images, texts)
    assert [tuple(view.shape) for view in views] == [(4, 16), (4, 16), (4, 4, 96), (4, 8, 24), (4, 8)]
    backward(Retrieval(), views, pairs_with(module.logit_scale.exp()), batch, None, (), module.auxiliary_loss)
    assert [name for name, p in module.named_parameters() if p.grad is None] == []
    for name in ("student.clip.visual.trunk.conv1.0.weight", "fusion.image.0.weight", "fusion.text.0.weight"):
        assert module.get_parameter(name).grad.abs().sum() > 0, name  # type: ignore[union-attr]
    finalised = student.finalize()
    assert isinstance(finalised, ClipModule)
    assert all(name.startswith("clip.") for name in finalised.state_dict())


# What cannot be


def test_a_student_without_tokens_is_named_with_what_it_lacks() -> None:
    with pytest.raises(KdbenchError, match="'toy' gives no token features, its module has no encode_image_tokens and no enc"):
        build(inner={"use": "toy"})


def test_towers_that_have_the_method_but_no_tokens() -> None:
    class Broken(Stringed):
        def __init__(self) -> None:
            super().__init__()
            cast(Beaded, self.module).name = nn.Embedding(2, 7)  # no row for padding

    with (
        building_with(toy_plugins(students=[Offer("broken", Broken)])),
        pytest.raises(KdbenchError, match="'broken' gives no token features \\(IndexError"),
    ):
        Fusion(student={"use": "broken"})


def test_a_student_with_a_loss_of_its_own() -> None:
    class Busy(Stringed):
        def __init__(self) -> None:
            super().__init__()
            cast(Any, self.module).auxiliary_loss = print

    with (
        building_with(toy_plugins(students=[Offer("busy", Busy)])),
        pytest.raises(KdbenchError, match="'busy' has an auxiliary loss already"),
    ):
        Fusion(student={"use": "busy"})


def test_parameters() -> None:
    [offer] = kdbench_students()
    assert nested_uses(offer)["student"].kind == "student"
    assert checked_params(offer, {"student": {"use": "toy"}}) == {
        "student": {"use": "toy"},
        "width": 128,
        "heads": 4,
        "weight": 1.0,
    }
    assert checked_params(offer, dict(offer.example))
    for wrong in ({"weight": 0.0}, {"heads": 0}, {"width": 0}, {"coefficient": 1.0}):
        with pytest.raises(ValidationError):
            checked_params(offer, {"student": {"use": "toy"}} | wrong)
    with pytest.raises(KdbenchError, match="width is 128, expected a multiple of heads, which is 3"):
        check_deeper(offer, {"student": {"use": "toy"}, "heads": 3})
    with pytest.raises(KdbenchError, match="width is 10, expected a multiple of heads, which is 4"):
        build(width=10, heads=4)
    with pytest.raises(PluginError, match="no student is called 'toi'"):
        build(inner={"use": "toi"})
