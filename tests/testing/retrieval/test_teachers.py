"""The kit over every first-party teacher, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Encoder, Modality, PluginError, Teacher, TeacherData, Towers
from kdbench.plugins.loading import installed
from kdbench.testing import Finding, check_teacher, conform
from kdbench.testing.retrieval.examined_teacher import modules_in
from kdbench.testing.retrieval.teachers import PROPERTIES, find
from kdbench.testing.variants import Variants
from kdbench_plugins.openclip import import_open_clip

STUDENT: dict[str, Any] = {
    "use": "openclip",
    "config": {
        "embed_dim": 16,
        "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
}
BACKBONES: dict[str, Any] = {"image": "efficientnet_lite0", "resolution": 32, "epochs": 1, "hidden": 0, "width": 16}
TRAINED: dict[str, Any] = {"student": STUDENT, "epochs": 1, "batch_size": 16}
TRANSFORMERS: dict[str, Any] = {
    "use": "openclip",
    "config": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 2},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
    },
}
DRAWN: dict[str, Any] = {"use": "embeddings", "miniature": True}
# What is quick: examples are what a suite would rather have.
PARAMS: dict[str, dict[str, Any]] = {
    "backbones": BACKBONES,
    "trained": TRAINED,
    "label_shuffled": {"teacher": {"use": "trained", **TRAINED}, "share": 0.5},
    # Around drawn embeddings: their towers are those of another teacher, which has its own check.
    "fused": {"teacher": DRAWN, "resolution": 32, "length": 4, "epochs": 1},
    "pmf": {"teacher": {"use": "trained", **TRAINED, "student": TRANSFORMERS}, "dual": DRAWN, "layers": 1, "epochs": 1},
}
CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
NEEDS_WEIGHTS = {"openclip", "timm"}  # each tried with a tiny model: below, in the tests of timm
FIRST_PARTY = [name for name, listed in installed().offers("teacher").items() if listed.provider.startswith("kdbench:")]


def failing(findings: list[Finding]) -> dict[str, str]:
    return {finding.property: finding.detail for finding in findings if finding.outcome == "fails"}


@pytest.mark.parametrize("name", [name for name in FIRST_PARTY if name not in NEEDS_WEIGHTS])
def test_first_party_teachers_conform(name: str) -> None:
    assert failing(conform(installed().find("teacher", name).offer, "teacher", PARAMS.get(name))) == {}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Path]:
    """Weights of `kdbench-small`, a model that open_clip knows for as long as this test runs."""
    import_open_clip()
    from open_clip import factory

    (tmp_path / "kdbench-small.json").write_text(json.dumps(CLIP))
    before = list(factory._MODEL_CONFIG_PATHS), dict(factory._MODEL_CONFIGS)
    factory.add_model_config(tmp_path)
    torch.manual_seed(0)
    torch.save({"state_dict": factory.create_model("kdbench-small").state_dict()}, tmp_path / "small.pt")
    yield tmp_path / "small.pt"
    factory._MODEL_CONFIG_PATHS[:], factory._MODEL_CONFIGS = before


def test_the_teacher_openclip_conforms(checkpoint: Path) -> None:
    params = {"model": "kdbench-small", "pretrained": str(checkpoint)}
    assert failing(conform(installed().find("teacher", "openclip").offer, "teacher", params)) == {}


class Projected:
    """A frozen network over pixels or letters. `how` breaks it."""

    base: Encoder | None = None

    def __init__(self, modality: Modality, how: str = "", width: int = 8) -> None:
        self.modality = self.reads = modality
        self.how = how
        self.key = f"projected {modality} {width}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.parts = {"network": nn.Sequential(nn.Linear(48 if modality == "image" else 26, width), nn.Dropout(0.5))}
        self.settle()

    def settle(self) -> nn.Module:
        return self.parts["network"].eval().requires_grad_(False)

    def encode(self, items: Any, device: str) -> Tensor:
        network = self.parts["network"] if self.how == "lively" else self.settle()
        with torch.no_grad():
            vectors = network(self.features(items).to(device))
        if self.how == "centred" and len(vectors) > 1:
            vectors = vectors - vectors.mean(dim=0)
        if self.how == "in turn":
            vectors = vectors + torch.linspace(0, 1, len(vectors))[:, None]
        return vectors if self.how == "long" else normalize(vectors, dim=1)

    def features(self, items: Any) -> Tensor:
        if self.reads == "image":
            if self.how == "in place":
                items += 1
            pixels = torch.from_numpy(np.array(items)).float() / 255 - 0.5
            return nn.functional.adaptive_avg_pool2d(pixels.permute(0, 3, 1, 2), 4).flatten(1)
        return torch.tensor([[item.count(chr(97 + letter)) for letter in range(26)] for item in items]).float()


class Base:
    """Two projections. `image` and `text` say how they are broken."""

    def __init__(self, image: str = "", text: str = "", width: int = 8, scale: float = 10.0) -> None:
        self.image, self.text = Projected("image", image), Projected("text", text, width)
        self.scale = scale

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(self.image, self.text, self.scale)


class FirstShape(Projected):
    """Crops pictures to the size of the first of them."""

    originals = True

    def encode(self, items: Any, device: str) -> Tensor:
        height, width = items[0].shape[:2]
        crop = [np.pad(item, ((0, height), (0, width), (0, 0)))[:height, :width] for item in items]
        return super().encode(np.stack(crop), device)


class Cropping(Base):
    def __init__(self) -> None:
        super().__init__()
        self.image = FirstShape("image")


class Upside(Base):
    def towers(self, data: TeacherData) -> Towers:
        towers = super().towers(data)
        towers.text.modality = "image"
        return towers


class Renamed(Base):
    """Another key each time."""

    builds = 0

    def towers(self, data: TeacherData) -> Towers:
        Renamed.builds += 1
        self.text.key += f" {Renamed.builds}"
        return super().towers(data)


class Reborn(Base):
    """Other weights each time, under one key."""

    def towers(self, data: TeacherData) -> Towers:
        with torch.no_grad():
            cast(Any, self.image.parts["network"])[0].bias += torch.rand(8)
        return super().towers(data)


class Learning(Base):
    """Its weights may still change."""

    def __init__(self) -> None:
        super().__init__()
        self.image.settle = lambda: self.image.parts["network"].eval()  # type: ignore[method-assign]
        self.image.parts["network"].requires_grad_(True)


class Curious(Base):
    """Asks for the test split and takes no for an answer."""

    def towers(self, data: TeacherData) -> Towers:
        wanted = cast(Literal["train"], "test")
        with suppress(PluginError):
            data.split(wanted)
        return super().towers(data)


class Insisting(Base):
    def towers(self, data: TeacherData) -> Towers:
        data.encode(self.image, cast(Literal["train"], "test"))
        return super().towers(data)


class Factor:
    """A live part: adds the features of a pair, times a number that is drawn, to its embeddings."""

    key = "factor"

    def __init__(self) -> None:
        self.images: Encoder = Projected("image")
        self.texts: Encoder = Projected("text")

    def begin(self, device: str) -> None:  # noqa: ARG002
        self.factor = float(torch.rand(()))

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        return self.factor * texts, self.factor * images


class Momentum(Factor):
    """A part that learns its factor, from zero on, with a momentum. `how` breaks it."""

    begun = 0

    def __init__(self, how: str = "") -> None:
        super().__init__()
        self.how, self.rate = how, 0.1

    def begin(self, device: str) -> None:
        super().begin(device)
        Momentum.begun += 1
        self.speed = self.factor + (Momentum.begun if self.how == "counting" else 0)
        self.factor = self.moment = 0.0

    def step(self, own: Any, student: Any, batch: Any) -> None:  # noqa: ARG002
        rate = 0.1 if self.how == "restless" else self.rate
        self.moment = 0.5 * self.moment + float((own.image - student.image).square().mean().detach())
        self.factor += rate * self.speed * self.moment

    def state_dict(self) -> dict[str, Any]:
        state = {"factor": self.factor, "speed": self.speed}
        return state if self.how == "forgetful" else state | {"moment": self.moment}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Live(Base):
    def __init__(self, part: type[Factor] = Momentum, how: str = "") -> None:
        super().__init__()
        self.part = part(how) if how else part()  # type: ignore[call-arg]

    def towers(self, data: TeacherData) -> Towers:
        return replace(super().towers(data), live=self.part)


INTERNALS = "internals are sound, and of the model that teaches"

WRONG: dict[str, tuple[Callable[[], Teacher], str, str]] = {
    "long": (partial(Base, text="long"), "towers give unit vectors of one width", "10 texts: found norms"),
    "widths": (partial(Base, width=6), "towers give unit vectors of one width", "images of width 8 and captions of width 6"),
    "modality": (Upside, "towers give unit vectors of one width", "text tower: found the modality 'image'"),
    "centred": (partial(Base, image="centred"), "an embedding does not depend on its batch", "10 images one by one"),
    "in turn": (partial(Base, text="in turn"), "an embedding does not depend on its batch", "10 texts one by one"),
    "cropping": (Cropping, "an embedding does not depend on its batch", "4 original images one by one"),
    "renamed": (Renamed, "two builds are equal", "keys of the text tower"),
    "reborn": (Reborn, "two builds are equal", "images, prepared twice"),
    "lively": (partial(Base, image="lively"), "frozen and in eval mode, also after train()", "image tower, after train()"),
    "learning": (Learning, "frozen and in eval mode, also after train()", "0.weight of Sequential requires a gradient"),
    "silent": (partial(Base, scale=0.0), "the logit scale is above 0 and at most 100", "found 0.0"),
    "loud": (partial(Base, scale=101.0), "the logit scale is above 0 and at most 100", "found 101.0"),
    "not a number": (partial(Base, scale=float("nan")), "the logit scale is above 0 and at most 100", "found nan"),
    "counting": (partial(Live, how="counting"), "what is live follows from the seed", "of step 1, of two runs with one seed"),
    "forgetful": (partial(Live, how="forgetful"), "what is live resumes", "of step 2, resumed from the state before step 1"),
    "restless": (partial(Live, how="restless"), "at a rate of zero it is its towers", "of step 1 at a rate of 0"),
    "curious": (Curious, "the test split is not requested", "requested the split 'test'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_teacher_is_told_the_property_it_breaks(name: str) -> None:
    build, broken, told = WRONG[name]
    waived = ["two builds are equal"] if name == "not a number" else []  # a NaN is not even equal to itself
    found = failing(find(build, waived))
    assert set(found) == {broken}
    assert told in found[broken]


def test_every_property_has_a_wrong_teacher() -> None:
    # Wrong keys are in test_keys.py, wrong internals in test_internals.py.
    assert {broken for _, broken, _ in WRONG.values()} | {"keys follow the outputs", INTERNALS} == set(PROPERTIES)


@pytest.mark.parametrize("build", [Base, Live, partial(Live, part=Factor)])
def test_a_right_teacher_holds_every_property(build: Callable[[], Teacher]) -> None:
    findings = find(build)
    assert [(finding.property, finding.outcome) for finding in findings] == [(name, "holds") for name in PROPERTIES]


def test_the_test_split_cannot_be_had() -> None:
    found = failing(find(Insisting, variants=Variants(Insisting, {"again": Insisting})))
    assert set(found) == set(PROPERTIES) - {INTERNALS}  # it has none
    assert all("a teacher asked for the 'test' split" in detail for detail in found.values())


def test_images_are_handed_over_read_only() -> None:
    found = failing(find(partial(Base, image="in place")))
    assert "read-only" in found["towers give unit vectors of one width"]


def test_modules_are_found_wherever_they_are_kept() -> None:
    class Holder:
        def __init__(self, **kept: Any) -> None:
            self.__dict__.update(kept)

    one, two, three = nn.Linear(1, 1), nn.Dropout(), nn.Sequential(nn.Linear(1, 1))
    holder = Holder(own=one, listed=[two, {"deeper": Holder(base=three)}], again=one)
    holder.__dict__["self"] = holder
    assert list(modules_in(holder)) == [one, two, three]


def test_checks_raise_with_all_that_fails_unless_waived() -> None:
    check_teacher(Base)
    with pytest.raises(AssertionError, match=r"1 of the properties fail:\n  the logit scale is above 0 and at most 100: logit"):
        check_teacher(partial(Base, scale=0.0))
    check_teacher(partial(Base, scale=0.0), waives=["the logit scale is above 0 and at most 100"])
