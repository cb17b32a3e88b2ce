"""Properties of datasets of right and wrong captions, which may have a test split alone, and examples for testing the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kdbench.contracts import Dataset, Split, SplitName
from kdbench.plugins.loading import Kind
from kdbench.tasks.compositional.check_dataset import problems
from kdbench.tasks.compositional.metrics import KINDS
from kdbench.testing import retrieval
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine
from kdbench.testing.retrieval.datasets import PROPERTIES, Build, matched
from kdbench.testing.retrieval.shapes_dataset import Shapes


class Swapped(Shapes):
    """Shapes, whose test split has right and wrong captions."""

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        return swapped(found) if name == "test" else found


def swapped(split: Split) -> Split:
    """The first image of each concept, with the concept's first caption and that of the next concept; kinds take turns."""
    concepts, images = np.unique(split.image_concepts, return_index=True)
    captions = [split.captions[np.flatnonzero(split.caption_concepts == concept)[0]] for concept in concepts]
    pairs = zip(captions, [*captions[1:], captions[0]], strict=True)
    return Split(
        images=[split.images[place] for place in images],
        captions=[caption for pair in pairs for caption in pair],
        image_concepts=concepts,
        caption_concepts=np.stack([concepts, np.full(len(concepts), -1)], axis=1).reshape(-1),
        image_ids=[str(concept) for concept in concepts],
        caption_ids=[f"{KINDS[item % len(KINDS)]}/{item}#{side}" for item in range(len(concepts)) for side in range(2)],
    )


def paired(build: Build) -> None:
    """The captions of the test split are pairs, a right and a wrong one of a known kind, and every image has some."""
    for where, found, expected in problems(build()):
        raise Broken(f"{where}: found {found}, expected {expected}")


_OWN: dict[str, Property[Callable[[], Dataset]]] = {"test captions are pairs, a right and a wrong one of an image": paired}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a dataset of right and wrong captions."""
    return examine({name: look for name, look in PROPERTIES.items() if look is not matched} | _OWN, build, waives)


FIND: dict[Kind, Callable[..., list[Finding]]] = {**retrieval.FIND, "dataset": find}
EXAMPLES: dict[Kind, Callable[..., Any]] = {**retrieval.EXAMPLES, "dataset": Swapped}
