"""The teacher `label_shuffled`: another teacher with permuted captions, as an uninformative control.

Its embeddings are as confident as the original teacher's, but wrong: a caption is embedded as a caption of another concept. A
strategy that does not give such a teacher less weight does not weight by the teachers' knowledge. With a `share` below 1 it is
right about the remaining concepts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import Encoder, KdbenchError, Modality, Offer, Teacher, TeacherData, Towers, Uses, hookimpl
from kdbench.contracts.encoder import reads_ids
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Misread:
    """A text encoder that replaces each caption, or the id of each, by another one. Works only for captions of the train and
    validation splits."""

    encoder: Encoder
    instead: dict[str, str]
    key: str
    modality: Modality = "text"
    base: Encoder | None = None
    bound: bool = True

    @property
    def ids(self) -> bool:
        return reads_ids(self.encoder)

    def encode(self, items: Any, device: str) -> Tensor:
        strange = next((item for item in items if item not in self.instead), None)
        if strange is not None:
            raise KdbenchError(f"label_shuffled: the caption {strange!r} is not in the train or validation split")
        return _through(self.encoder, [self.instead[item] for item in items], device)


class LabelShuffled(Wrapped):
    """`teacher` is a teacher's spec. The fraction `share` of the concepts exchange captions, in a cycle drawn from `seed`.

    With `ids`, a pattern as of file names, only concepts with a caption whose id fits it do: two teachers with opposite
    patterns are experts on complementary concepts. Raises KdbenchError if fewer than two concepts fit.
    """

    def __init__(
        self,
        *,
        teacher: Annotated[dict[str, Any], Uses("teacher")],
        share: Annotated[float, Field(gt=0, le=1)] = 1.0,
        seed: int = 0,
        ids: str | None = None,
    ) -> None:
        super().__init__(teacher)
        self.ids = ids
        self.share = share
        self.seed = seed

    def towers(self, data: TeacherData) -> Towers:
        towers = self.inner(data)
        splits: tuple[Literal["train", "validation"], ...] = ("train", "validation")
        instead: dict[str, str] = {}
        for name in splits:
            split = data.split(name)
            captions = split.caption_ids if reads_ids(towers.text) else split.captions
            concepts = split.caption_concepts.tolist()
            among = None if self.ids is None else fitting(split.caption_ids, concepts, self.ids, name)
            instead = exchanged(captions, concepts, self.share, self.seed, among) | instead
        content = json.dumps(sorted(instead.items()), ensure_ascii=False)
        key = hashlib.sha256(f"label_shuffled|{towers.text.key}|{content}".encode()).hexdigest()
        return Towers(towers.image, Misread(towers.text, instead, key), towers.logit_scale)


def fitting(ids: Sequence[str], concepts: list[int], pattern: str, split: str) -> set[int]:
    """The concepts with a caption whose id fits the pattern. Raises KdbenchError if fewer than two do: nothing is exchanged."""
    found = {concept for one, concept in zip(ids, concepts, strict=False) if fnmatchcase(one, pattern)}
    if len(found) < 2:
        example = f"such as {ids[0]!r}" if len(ids) else "which the dataset does not state"
        raise KdbenchError(
            f"label_shuffled: ids: found {len(found)} concepts of the {split} split fitting {pattern!r}, expected two or more. "
            f"It is compared with ids of captions, {example}"
        )
    return found


def exchanged(
    captions: Any, concepts: list[int], share: float, seed: int, among: Collection[int] | None = None
) -> dict[str, str]:
    """Caption → the caption that replaces it, from the next concept in the cycle; the same caption outside the cycle.

    The cycle is drawn from all concepts, or from those `among`. A caption of several concepts counts for the first of them.
    """
    import numpy as np

    of: dict[int, list[str]] = {}
    for caption, concept in zip(captions, concepts, strict=True):
        of.setdefault(concept, []).append(caption)
    drawn = sorted(of if among is None else among)
    order = np.random.default_rng(seed).permutation(drawn)[: round(share * len(drawn))].tolist()
    following = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    result: dict[str, str] = {}
    for concept, own in of.items():
        others = of[following.get(concept, concept)]
        for position, caption in enumerate(own):
            result.setdefault(caption, others[position % len(others)])
    return result


def _through(encoder: Encoder, items: Any, device: str) -> Tensor:
    """An encoder's outputs for items, computed through its chain of bases."""
    return encoder.encode(items if encoder.base is None else _through(encoder.base, items, device), device)


def check(*, teacher: dict[str, Any], **_: object) -> None:
    """Raises KdbenchError if the teacher has no text tower."""
    refuse_lacking("label_shuffled", ("text",), teacher)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "label_shuffled",
            LabelShuffled,
            "another teacher with permuted captions: an uninformative or half-informed control",
            check,
            example={"teacher": {"use": "backbones", "image": "efficientnet_lite0"}},
        )
    ]
