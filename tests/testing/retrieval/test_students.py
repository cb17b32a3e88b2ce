"""The kit over every first-party student, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Batch, Encoder, Modality, Student, StudentModule
from kdbench.plugins.loading import installed
from kdbench.testing import Finding, check_student, conform
from kdbench.testing.retrieval.students import PROPERTIES, find

SMALL: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "timm_model_name": "test_resnet",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 48,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
LAYERED = SMALL | {"vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 2}}
# What is quick: examples are what a suite would rather have.
PARAMS: dict[str, dict[str, Any]] = {
    "openclip": {"config": SMALL},
    "fusion": {"student": {"use": "openclip", "config": SMALL}, "width": 16, "heads": 2},
    "soft_threshold": {"student": {"use": "openclip", "config": SMALL}, "start": 0.02},
    "consensus_pooling": {"student": {"use": "openclip", "config": SMALL}, "hidden": 8, "heads": 2, "concepts": 5},
    "layer_pruned": {"teacher": {"use": "trained", "student": {"use": "openclip", "config": LAYERED}}, "image": 1},
}
FIRST_PARTY = [name for name, listed in installed().offers("student").items() if listed.provider.startswith("kdbench:")]


def failing(findings: list[Finding]) -> dict[str, str]:
    return {finding.property: finding.detail for finding in findings if finding.outcome == "fails"}


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_first_party_students_conform(name: str) -> None:
    assert failing(conform(installed().find("student", name).offer, "student", PARAMS.get(name))) == {}


class Reader:
    """Pixels, a quarter of them, and letters, counted: float16 and integers on disk."""

    base: Encoder | None = None

    def __init__(self, modality: Modality) -> None:
        self.modality = modality
        self.key = f"reader {modality}"

    def encode(self, items: Any, device: str) -> Tensor:
        if self.modality == "image":
            return torch.from_numpy(np.array(items)[:, ::2, ::2]).to(device)
        return torch.tensor([[item.count(chr(97 + letter)) for letter in range(26)] for item in items], device=device)


class Module(nn.Module):
    """Two linear towers with dropout. What is wrong derives from it."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Linear(16 * 16 * 3, 8), nn.Dropout(0.1))
        self.text = nn.Linear(26, 8)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.image(images.float().flatten(1) / 255 - 0.5), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(self.text(texts.float()), dim=1)


class Base:
    width = 8
    make: Callable[[], Any] = Module

    def __init__(self) -> None:
        self.images: Encoder = Reader("image")
        self.texts: Encoder = Reader("text")
        self.module: StudentModule = type(self).make()


class Derived(Module):
    """A scale that is no parameter: the training loop, which bounds it in place, would bound a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = self._parameters.pop("logit_scale")

    @property
    def logit_scale(self) -> Tensor:  # type: ignore[override]
        return cast(Tensor, self.inner) * 1


class Long(Module):
    def encode_text(self, texts: Tensor) -> Tensor:
        return 2 * super().encode_text(texts)


class LongInTraining(Module):
    def encode_image(self, images: Tensor) -> Tensor:
        return super().encode_image(images) * (2 if self.training else 1)


class OwnNumbers(Module):
    """Initial weights from NumPy's generator, which nobody seeds."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.text.bias, np.random.default_rng().random())


class Frozen(Module):
    """Always the same initial weights."""

    def __init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            super().__init__()


class Deaf(Module):
    def encode_text(self, texts: Tensor) -> Tensor:
        return super().encode_text(texts).detach()


class Blind(Module):
    """A tower that hands on what nothing learns from."""

    def __init__(self) -> None:
        super().__init__()
        self.image.requires_grad_(False)


class StillScale(Module):
    """The gradient is lost on its way to the scale."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale.register_hook(torch.zeros_like)  # type: ignore[no-untyped-call]


class Together(Module):
    """Normalises over the batch in eval mode too."""

    def encode_image(self, images: Tensor) -> Tensor:
        pixels = images.float().flatten(1)
        return normalize(self.image(pixels - 0.1 * pixels.mean(dim=0)), dim=1)


class Restless(Module):
    def encode_text(self, texts: Tensor) -> Tensor:
        noisy = super().encode_text(texts) + 1e-6 * torch.rand(len(texts), 8)
        return normalize(noisy, dim=1)


class Unsaved(Module):
    """Part of what it computes with is in no state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.rand(8)

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(super().encode_image(images) + self.shift, dim=1)


class Unloadable(Module):
    def load_state_dict(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ARG002
        raise RuntimeError("unexpected key")


class Renamed(Base):
    builds = 0

    def __init__(self) -> None:
        super().__init__()
        Renamed.builds += 1
        cast(Any, self.texts).key += f" {Renamed.builds}"


class ThreadTaker(Base):
    def __init__(self) -> None:
        super().__init__()
        torch.set_num_threads(torch.get_num_threads() + 1)


class Doubler(Module):
    """Computes in float64 and tells everyone to."""

    def encode_text(self, texts: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        return super().encode_text(texts)


class WithViews(Module):
    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        pixels = images.float().flatten(1) / 255 - 0.5
        return self.encode_image(images), self.encode_text(texts), pixels @ self.image.get_submodule("0").weight.T  # type: ignore[operator]

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:  # noqa: ARG002
        return (views[0] * views[1]).sum(dim=1).square().mean() + views[2].square().mean()


class SwappedViews(WithViews):
    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        image, text, rest = super().encode_views(images, texts)
        return text, image, rest


class LossPerSample(WithViews):
    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:  # noqa: ARG002
        return (views[0] * views[1]).sum(dim=1)


class Counting(Base):
    """Its reader of captions adds the place in the batch."""

    def __init__(self) -> None:
        super().__init__()
        read = self.texts.encode
        self.texts.encode = lambda items, device: read(items, device) + torch.arange(len(items))[:, None]  # type: ignore[method-assign]


class Finalized(Base):
    """Leaves what was there."""

    make = WithViews

    def finalize(self) -> StudentModule:
        plain = Module()
        plain.load_state_dict(cast(nn.Module, self.module).state_dict())
        return plain


class Forgotten(Base):
    """Leaves a module that has learned nothing."""

    def finalize(self) -> StudentModule:
        return Module()


def of(module: Callable[[], Any]) -> Callable[[], Student]:
    return type(getattr(module, "__name__", "Student"), (Base,), {"make": module})


WRONG: dict[str, tuple[Callable[[], Student], str, str]] = {
    "derived": (of(Derived), "a torch module with a logit scale that learns", "not a trainable parameter of the module"),
    "long": (of(Long), "towers give unit vectors of its width", "10 texts in training mode: found norms [2"),
    "long in training": (of(LongInTraining), "towers give unit vectors of its width", "10 images in training mode"),
    "own numbers": (of(OwnNumbers), "same seed, same initial weights", "built twice from one seed, text.bias: found"),
    "frozen": (of(Frozen), "another seed, other initial weights", "all 5 tensors are equal"),
    "deaf": (of(Deaf), "gradients reach both towers and the logit scale", "from the text embeddings"),
    "blind": (of(Blind), "gradients reach both towers and the logit scale", "from the image embeddings"),
    "still scale": (of(StillScale), "gradients reach both towers and the logit scale", "from the logit scale"),
    "together": (of(Together), "an embedding does not depend on its batch", "10 images one by one"),
    "restless": (of(Restless), "an embedding does not depend on its batch", "10 texts, encoded again"),
    "counting": (Counting, "an embedding does not depend on its batch", "10 texts one by one"),
    "unsaved": (of(Unsaved), "weights survive saving and loading", "images after saving and loading"),
    "unloadable": (of(Unloadable), "weights survive saving and loading", "raised RuntimeError: unexpected key"),
    "renamed": (Renamed, "equal keys for two builds", "texts: found the keys 'reader text "),
    "threads": (ThreadTaker, "torch's global settings are left alone", "threads: found"),
    "doubler": (of(Doubler), "torch's global settings are left alone", "default dtype: found torch.float64"),
    "swapped views": (of(SwappedViews), "views begin with the embeddings", "the view of the images"),
    "loss per sample": (of(LossPerSample), "views begin with the embeddings", "expected a finite scalar"),
    "forgotten": (Forgotten, "finalizing keeps the embeddings", "images after finalize()"),
}


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Nothing of what a student did to torch is left when the kit is done with it."""
    before = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
    yield
    assert before == (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_student_is_told_the_property_it_breaks(name: str) -> None:
    build, broken, told = WRONG[name]
    found = failing(find(build))
    assert set(found) == {broken}
    assert told in found[broken]


def test_every_property_has_a_wrong_student() -> None:
    # Wrong keys need a second student and are below; wrong internals are in test_internals.py.
    elsewhere = {"keys follow the outputs", "internals are sound, and reading them changes nothing"}
    assert {broken for _, broken, _ in WRONG.values()} | elsewhere == set(PROPERTIES)


class Sized(Base):
    """A student that reads every n-th pixel; the key of its reader may forget the number."""

    def __init__(self, every: int = 2, forgets: bool = False) -> None:
        super().__init__()
        reader = Reader("image")
        reader.encode = lambda items, device: torch.from_numpy(np.array(items)[:, ::every, ::every]).to(device)  # type: ignore[method-assign]
        reader.key = "every" if forgets else f"every {every}"
        self.images = reader


def test_a_reader_whose_key_forgets_its_size_is_told() -> None:
    """Its second size would read the stored pixels of the first."""
    check_student(Sized, changed={"every 4": partial(Sized, 4)})
    with pytest.raises(AssertionError, match=r"every 4: the image encoder Reader keeps its key, but found shape"):
        check_student(partial(Sized, forgets=True), changed={"every 4": partial(Sized, 4, True)})


@pytest.mark.parametrize("build", [Base, of(WithViews), Finalized])
def test_a_right_student_holds_every_property(build: Callable[[], Student]) -> None:
    findings = find(build)
    assert [(finding.property, finding.outcome) for finding in findings] == [(name, "holds") for name in PROPERTIES]


def test_two_scales_are_one_too_many() -> None:
    class TwoScales(Module):
        def __init__(self) -> None:
            super().__init__()
            self.logit_scale = nn.Parameter(torch.tensor([1.0, 1.0]))

    found = failing(find(of(TwoScales)))
    assert "expected one finite number" in found["a torch module with a logit scale that learns"]
    assert set(found) <= {"a torch module with a logit scale that learns", "gradients reach both towers and the logit scale"}


def test_a_width_that_is_not_the_embeddings_is_told() -> None:
    class Narrow(Base):
        width = 7

    found = failing(find(Narrow))
    assert set(found) == {"towers give unit vectors of its width"}
    assert "found shape [10, 8], expected [10, 7] by its width" in found["towers give unit vectors of its width"]


def test_global_random_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    find(Base)
    assert torch.equal(torch.rand(2), expected)


def test_checks_raise_with_all_that_fails_unless_waived() -> None:
    check_student(Base)
    with pytest.raises(AssertionError, match=r"1 of the properties fail:\n  another seed, other initial weights: built from"):
        check_student(of(Frozen))
    check_student(of(Frozen), waives={"another seed, other initial weights": "pre-trained"})
