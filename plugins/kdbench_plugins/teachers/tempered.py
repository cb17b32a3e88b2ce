"""Teachers that differ in scale: `tempered` sets the temperature of another teacher, `entropy_matched` finds it."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Modality, Offer, Teacher, TeacherData, Towers, Uses, build, hookimpl
from kdbench.errors import KdbenchWarning
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 100.0  # CLIP's bound on the scale of logits; the smallest is its inverse
BATCHES = 8  # that entropies are averaged over
HALVINGS = 60
NEAR = 1e-3  # of the wanted entropy, or nats
BOTH: tuple[Modality, ...] = ("image", "text")  # a scale multiplies similarities of images and captions
Spec = Annotated[dict[str, Any], Uses("teacher")]


class Tempered(Wrapped):
    """`teacher` with another temperature: its logits are cosines divided by `temperature`.

    Embeddings stay, so that objectives without a teacher's logits are not affected.
    """

    def __init__(self, *, teacher: Spec, temperature: Annotated[float, Field(ge=1 / LARGEST, le=LARGEST)]) -> None:
        super().__init__(teacher)
        self.temperature = temperature

    def towers(self, data: TeacherData) -> Towers:
        return replace(self.inner(data), logit_scale=1 / self.temperature)


class EntropyMatched(Wrapped):
    """`teacher` at the temperature at which it is as sure as the teacher `like`, usually the first of the suite.

    What is matched: the mean entropy of the softmax over a batch's similarities, image to captions and caption to images, over
    8 batches of `batch_size` pairs of the train split, drawn with a fixed seed. Entropies grow with the number of candidates,
    so `batch_size` should be the suite's. If no logit scale from 0.01 to 100 gives the entropy, takes the nearest and warns.
    """

    def __init__(self, *, teacher: Spec, like: Spec, batch_size: Annotated[int, Field(ge=2)] = 256) -> None:
        super().__init__(teacher)
        self.like = like
        self.batch_size = batch_size

    def towers(self, data: TeacherData) -> Towers:
        own, other = self.inner(data), build("teacher", self.like).towers(data)
        pairs = drawn_pairs(data, self.batch_size)
        wanted = mean_entropy(cosines(data, other, pairs), other.logit_scale)
        similar = cosines(data, own, pairs)
        scale = matching_scale(similar, wanted)
        reached = mean_entropy(similar, scale)
        if not math.isclose(reached, wanted, rel_tol=NEAR, abs_tol=NEAR):
            message = (
                f"teacher entropy_matched: found an entropy of {reached:.3f} nats at the logit scale {scale:.4g}, the limit; "
                f"expected {wanted:.3f}, that of `like`. The teacher normalized, by: standardize, spreads cosines"
            )
            warnings.warn(message, KdbenchWarning, stacklevel=2)
        return replace(own, logit_scale=scale)


def drawn_pairs(data: TeacherData, batch_size: int) -> list[tuple[Any, Any]]:
    """Batches of indices of images and of captions that match them; as many pairs as there are images, if these are fewer."""
    import numpy as np

    split, rng = data.split("train"), np.random.default_rng(0)
    order = np.argsort(split.caption_concepts, kind="stable")
    concepts = np.asarray(split.caption_concepts)[order]
    batches = []
    for _ in range(BATCHES):
        images = np.sort(rng.permutation(len(split.image_concepts))[:batch_size])
        wanted = np.asarray(split.image_concepts)[images]
        first, last = (np.searchsorted(concepts, wanted, side=side) for side in ("left", "right"))
        batches.append((images, order[rng.integers(first, last)]))
    return batches


def cosines(data: TeacherData, towers: Towers, pairs: list[tuple[Any, Any]]) -> list[Tensor]:
    """A teacher's similarities of images with captions in each batch, [B, B]."""
    import numpy as np
    import torch
    from torch.nn.functional import normalize

    image, text = data.encode(towers.image, "train"), data.encode(towers.text, "train")

    def unit(values: Any) -> Tensor:
        return normalize(torch.from_numpy(np.asarray(values, dtype=np.float64)), dim=1)

    return [unit(image[images]) @ unit(text[captions]).T for images, captions in pairs]


def mean_entropy(similar: list[Tensor], scale: float) -> float:
    """The mean entropy in nats of the softmax over rows and over columns of scaled similarities."""
    import torch

    both = torch.stack([part for cosine in similar for part in (cosine, cosine.T)])
    log_probs = (scale * both).log_softmax(dim=-1)
    return float(-(log_probs.exp() * log_probs).sum(dim=-1).mean())


def matching_scale(similar: list[Tensor], wanted: float) -> float:
    """The scale of the wanted entropy, or the nearest from 0.01 to 100, by halving: entropies fall as the scale grows."""
    low, high = 1 / LARGEST, LARGEST
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if mean_entropy(similar, middle) > wanted else (low, middle)
    return high


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    drawn = {"use": "embeddings", "miniature": True}
    return [
        Offer(
            "tempered",
            Tempered,
            "another teacher with another temperature of its logits",
            lambda *, teacher, **_: refuse_lacking("tempered", BOTH, teacher),
            example={"teacher": drawn, "temperature": 0.05},
        ),
        Offer(
            "entropy_matched",
            EntropyMatched,
            "another teacher at the temperature at which it is as sure as a third one",
            lambda *, teacher, like, **_: refuse_lacking("entropy_matched", BOTH, teacher, like),
            example={"teacher": drawn | {"logit_scale": 20.0}, "like": drawn | {"logit_scale": 5.0}},
        ),
    ]
