"""Records with their ranks, from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from rankings import row, write

from kdbench.errors import RecordError
from kdbench.leaderboard.statistics import Measured, read_measured


def test_finished_runs_are_read_once(tmp_path: Path) -> None:
    runs = row("a")
    paths = [write(tmp_path, one) for one in runs]
    write(tmp_path, row("b", seeds=[0], status="diverged")[0])
    found = read_measured([tmp_path, paths[0]])
    assert sorted(one.record.label for one in found) == [one.record.label for one in runs]
    for one in found:
        (same,) = [other for other in runs if other.record.run_id == one.record.run_id]
        assert one.ranks.text.tolist() == same.ranks.text.tolist()
        assert one.ranks.image.tolist() == same.ranks.image.tolist()
        assert one.recall_at == [1, 5, 10]


def test_ranks_that_give_other_metrics_are_refused(tmp_path: Path) -> None:
    (one,) = row("a", seeds=[0])
    changed = one.record.model_copy(update={"metrics": one.record.metrics | {"rsum": 1.0}})
    write(tmp_path, Measured(changed, one.ranks))
    with pytest.raises(RecordError, match=r"rsum is 1\.0, its ranks give"):
        read_measured([tmp_path])
