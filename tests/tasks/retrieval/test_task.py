"""Settings of retrieval that do not fit a dataset."""

from __future__ import annotations

import numpy as np

from kdbench.contracts import Split, SplitName
from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import Shapes


class Crowded(Shapes):
    """Every split's images and captions are of one concept, and there are `crowd` captions."""

    crowd = 256

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        concepts = np.zeros(self.crowd, dtype=np.int64)
        return Split(found.images, ["a bead"] * self.crowd, np.zeros(len(found.images), dtype=np.int64), concepts)


class TooCrowded(Crowded):
    crowd = 257


def test_a_query_with_more_positives_than_are_stored_is_refused_in_check() -> None:
    task = Retrieval(recall_at=[1], positives=True)
    assert list(task.misfits(Crowded(), None, ("test",))) == []
    [(path, found, expected)] = task.misfits(TooCrowded(), None, ("test",))
    assert (path, found) == ("evaluate.positives", True)
    assert "a query of {dataset} has 257 positives, at most 256 are stored" in expected
    assert list(Retrieval(recall_at=[1]).misfits(TooCrowded(), None, ("test",))) == []
