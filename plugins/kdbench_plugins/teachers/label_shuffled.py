"""The teacher `label_shuffled`: another teacher whose captions have changed places, as a control that knows nothing.

Its embeddings are as sharp and as confident as the other's, and wrong: a caption is embedded as a caption of another
concept. A strategy that cannot tell such a teacher from a good one weighs by something else than what teachers know. With a
`share` below 1 it is right about the rest of the concepts: half an expert.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import Encoder, KdbenchError, TeacherData, Modality, Offer, Teacher, Towers, Uses, build, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Misread:
    """A text encoder that reads another caption in place of the one it is given. Knows the captions of the data only."""

    encoder: Encoder
    instead: dict[str, str]
    key: str
    modality: Modality = "text"
    base: Encoder | None = None

    def encode(self, items: Any, device: str) -> Tensor:
        strange = next((item for item in items if item not in self.instead), None)
        if strange is not None:
            raise KdbenchError(f"label_shuffled: the caption {strange!r} is neither in the train nor in the validation split")
        return _through(self.encoder, [self.instead[item] for item in items], device)


class LabelShuffled:
    """`teacher` is a teacher's spec. `share` of the concepts exchange their captions, in a circle drawn from `seed`."""

    def __init__(
        self,
        *,
        teacher: Annotated[dict[str, Any], Uses("teacher")],
        share: Annotated[float, Field(gt=0, le=1)] = 1.0,
        seed: int = 0,
    ) -> None:
        self.teacher = teacher
        self.share = share
        self.seed = seed

    def towers(self, data: TeacherData) -> Towers:
        towers: Towers = build("teacher", self.teacher).towers(data)
        splits: tuple[Literal["train", "validation"], ...] = ("train", "validation")
        instead: dict[str, str] = {}
        for name in splits:
            split = data.split(name)
            instead = exchanged(split.captions, split.caption_concepts.tolist(), self.share, self.seed) | instead
        content = json.dumps(sorted(instead.items()), ensure_ascii=False)
        key = hashlib.sha256(f"label_shuffled|{towers.text.key}|{content}".encode()).hexdigest()
        return Towers(towers.image, Misread(towers.text, instead, key), towers.logit_scale)


def exchanged(captions: Any, concepts: list[int], share: float, seed: int) -> dict[str, str]:
    """Caption → the caption read in its place, of the next concept in the circle; itself outside the circle.

    A caption that several concepts have follows the first of them.
    """
    import numpy as np

    of: dict[int, list[str]] = {}
    for caption, concept in zip(captions, concepts, strict=True):
        of.setdefault(concept, []).append(caption)
    order = np.random.default_rng(seed).permutation(sorted(of))[: round(share * len(of))].tolist()
    following = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    result: dict[str, str] = {}
    for concept, own in of.items():
        others = of[following.get(concept, concept)]
        for place, caption in enumerate(own):
            result.setdefault(caption, others[place % len(others)])
    return result


def _through(encoder: Encoder, items: Any, device: str) -> Tensor:
    """What an encoder makes of items, by way of all it is based on."""
    return encoder.encode(items if encoder.base is None else _through(encoder.base, items, device), device)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "label_shuffled",
            LabelShuffled,
            "another teacher whose captions have changed places: a control that knows nothing, or half",
            example={"teacher": {"use": "backbones", "image": "efficientnet_lite0"}},
        )
    ]
