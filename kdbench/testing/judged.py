"""Properties of datasets with judgments, which may have a test split alone, and examples for testing their task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, Split
from kdbench.plugins.loading import Kind
from kdbench.tasks.judged.judgments import SETS, JudgedSets, Judgments
from kdbench.tasks.judged.task import Judged
from kdbench.testing import retrieval
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine
from kdbench.testing.retrieval.datasets import PROPERTIES, Build, matched
from kdbench.testing.retrieval.shapes_dataset import Shapes


class JudgedShapes(Shapes):
    """Shapes with judgments of the test split."""

    @property
    def judgments(self) -> JudgedSets:
        return judgments_of(self.split("test"))


def judgments_of(split: Split) -> JudgedSets:
    """Judgments of a split: CxC's of all queries by concepts; ECCV Caption's of a third, half of them with the next concept's
    positives, too."""
    concepts = np.unique(split.image_concepts)
    following = dict(zip(concepts.tolist(), np.roll(concepts, -1).tolist(), strict=True))

    def of(queries: NDArray[np.int64], candidates: NDArray[np.int64], every: bool) -> Judgments:
        chosen = np.arange(len(queries)) if every else np.arange(0, len(queries), 3)
        fitting = [
            {concept} if every or query % 2 else {concept, following[concept]} for query, concept in enumerate(queries.tolist())
        ]
        return Judgments(chosen, [np.flatnonzero(np.isin(candidates, list(fitting[query]))) for query in chosen])

    sides = {"i2t": (split.image_concepts, split.caption_concepts), "t2i": (split.caption_concepts, split.image_concepts)}
    return {name: of(*sides[name[-3:]], name.startswith("cxc")) for name in SETS}


def judged(build: Build) -> None:
    """The test split has judgments of its images and captions, each query with a positive."""
    for where, found, expected in Judged().data_problems(build()):
        raise Broken(f"{where}: found {found}, expected {expected}")


_OWN: dict[str, Property[Callable[[], Dataset]]] = {"queries of the test split have judged positives": judged}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a dataset with judgments."""
    return examine({name: look for name, look in PROPERTIES.items() if look is not matched} | _OWN, build, waives)


FIND: dict[Kind, Callable[..., list[Finding]]] = {**retrieval.FIND, "dataset": find}
EXAMPLES: dict[Kind, Callable[..., Any]] = {**retrieval.EXAMPLES, "dataset": JudgedShapes}
