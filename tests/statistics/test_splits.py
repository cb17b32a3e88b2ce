"""What the rows of a table were evaluated on: one split, or several folds."""

from __future__ import annotations

import numpy as np

from kdbench.statistics.splits import ByFold, split_of, total_sizes
from tests.support.folded import CONCEPTS, fold_row, fold_units
from tests.support.rankings import DIGEST, row, units_of


def test_a_split_has_the_sizes_and_units_of_its_records() -> None:
    runs, units = row("a"), units_of(np.arange(40), np.arange(80) // 2)
    sizes, found = split_of(runs, {DIGEST: units})
    assert (sizes, found) == (runs[0].record.sizes, units)
    assert split_of(runs, {}) == (sizes, None)
    assert total_sizes(runs) == runs[0].record.sizes


def test_folds_have_those_of_each() -> None:
    runs, known = fold_row("a"), fold_units()
    sizes, found = split_of(runs, known)
    assert isinstance(sizes, ByFold)
    assert [sizes[fold]["concepts"] for fold in range(3)] == list(CONCEPTS)
    assert isinstance(found, ByFold)
    assert found == dict(enumerate(known.values()))
    assert split_of(runs, {})[1] == {}
    assert split_of(runs[:2], known)[1] == {fold: found[fold] for fold in range(2)}
    assert total_sizes(runs) == {"concepts": 40, "images": 40, "captions": 80}
