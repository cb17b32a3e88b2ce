"""The property of keys finds every way in which a key may lack something, and passes where a key is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from kdbench import Encoder, Modality, Offer, Teacher, TeacherData, Towers
from kdbench.testing import check_teacher
from kdbench.testing.findings import Broken
from kdbench.testing.retrieval.keys import keys_follow
from kdbench.testing.retrieval.teachers import find
from kdbench.testing.variants import Variants, variants_of

PROPERTY = "keys follow the outputs"


class Means:
    """Mean colours of an image resized to `size`; as an encoder of original pictures, `crop` cuts its middle out first."""

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True

    def __init__(self, size: int = 4, crop: bool = False, forgets: str = "") -> None:
        self.size, self.crop = size, crop
        told = {"size": size, "crop": crop}
        self.key = f"means {[value for name, value in told.items() if name != forgets]}"

    def encode(self, items: Any, device: str) -> Tensor:
        rows = []
        for item in items:
            picture = Image.fromarray(np.asarray(item))
            if self.crop:
                side, width, height = min(picture.size), *picture.size
                left, top = (width - side) // 2, (height - side) // 2
                picture = picture.crop((left, top, left + side, top + side))
            rows.append(torch.from_numpy(np.array(picture.resize((self.size, self.size)))).float().flatten())
        return torch.stack(rows).to(device)


class Letters:
    """Counts of letters, of lower case if `lower`, in the first `context` characters."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, lower: bool = False, context: int = 400, forgets: str = "") -> None:
        self.lower, self.context = lower, context
        told = {"lower": lower, "context": context}
        self.key = f"letters {[value for name, value in told.items() if name != forgets]}"

    def encode(self, items: Any, device: str) -> Tensor:
        texts = [(text.lower() if self.lower else text)[: self.context] for text in items]
        counts = [[text.count(chr(97 + letter)) for letter in range(26)] for text in texts]
        return torch.tensor(counts, device=device).float()


class Mapped:
    """A linear map, drawn from `seed`, of another encoder's outputs."""

    def __init__(self, base: Encoder, seed: int, gain: float, forgets: str = "") -> None:
        self.base: Encoder | None = base
        self.modality: Modality = base.modality
        self.seed, self.gain = seed, gain
        told = {"base": base.key, "seed": seed, "gain": gain}
        text = str([value for name, value in told.items() if name != forgets])
        self.key = hashlib.sha256(text.encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        values = torch.from_numpy(np.array(items)).float()
        draw = torch.Generator().manual_seed(self.seed)
        matrix = torch.randn(values.shape[1], 8, generator=draw)
        return normalize((self.gain * values @ matrix).tanh() + 1e-3, dim=1).to(device)


class Toy:
    """A teacher of which one part `forgets` one value in its key."""

    def __init__(
        self,
        *,
        size: int = 4,
        crop: bool = False,
        lower: bool = False,
        context: int = 400,
        seed: int = 0,
        gain: float = 0.01,
        label: int = 0,  # changes nothing
        forgets: str = "",
    ) -> None:
        del label
        images, texts = Means(size, crop, forgets), Letters(lower, context, forgets)
        self.pair = Towers(Mapped(images, seed, gain, forgets), Mapped(texts, seed, gain, forgets), 10.0)

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return self.pair


OFFER: Offer[Teacher] = Offer("toy", Toy)
KEPT = ("size", "crop", "lower", "context", "seed", "gain")


def found(forgets: str) -> tuple[str, str]:
    """Outcome and detail of the property, for a teacher that forgets a value."""
    params: dict[str, Any] = {"forgets": forgets}
    findings = find(partial(Toy, **params), variants=variants_of(OFFER, params))
    [finding] = [finding for finding in findings if finding.property == PROPERTY]
    return finding.outcome, finding.detail


def test_a_key_with_everything_holds() -> None:
    assert found("") == ("holds", "7 parameters changed; not forgets")


@pytest.mark.parametrize("forgets", KEPT)
def test_a_value_that_a_key_lacks_is_named(forgets: str) -> None:
    outcome, detail = found(forgets)
    assert outcome == "fails"
    assert detail.startswith(f"{forgets}: ")
    assert ("Means" if forgets in ("size", "crop") else "Letters" if forgets in ("lower", "context") else "Mapped") in detail


def test_a_key_without_that_of_its_base() -> None:
    outcome, detail = found("base")
    assert outcome == "fails"
    assert "Mapped keeps its key" in detail


def test_authors_give_variants_themselves() -> None:
    check_teacher(Toy, changed={"seed 1": partial(Toy, seed=1)})
    with pytest.raises(AssertionError, match="gain 5: the image encoder Mapped keeps its key"):
        check_teacher(partial(Toy, forgets="gain"), changed={"gain 5": partial(Toy, gain=5.0, forgets="gain")})


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(1, 8),
        "crop": st.booleans(),
        "lower": st.booleans(),
        "context": st.integers(1, 60),
        "seed": st.integers(0, 3),
        "gain": st.floats(0.001, 0.1),
    },
)


def pair_of(build: Callable[[], Toy]) -> dict[Modality, Encoder]:
    return {"image": build().pair.image, "text": build().pair.text}


@given(one=SETTINGS, other=SETTINGS, forgets=st.sampled_from(("", "base", *KEPT)))
@settings(max_examples=40)
def test_the_property_agrees_with_a_comparison_of_all_outputs(one: dict[str, Any], other: dict[str, Any], forgets: str) -> None:
    """Any two settings: it fails if and only if some encoder has an equal key and another output."""
    builds = [partial(Toy, **params, forgets=forgets) for params in (one, other)]
    try:
        keys_follow(pair_of, Variants(builds[0], {"other": builds[1]}))
        holds = True
    except Broken:
        holds = False
    if not forgets:
        assert holds
    elif not holds:
        same = {name: value for name, value in one.items() if other.get(name) != value}
        assert same or other.keys() - one.keys()  # equal settings are never blamed
