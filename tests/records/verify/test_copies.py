"""One training that counts under several seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench.records.files import write_trace
from kdbench.records.verify import usable, verify
from kdbench.suite.spec import Fold
from tests.support.made_records import TRACE, arrays_path, edit, made, reranked, several, some_ranks, whats


def test_a_run_under_another_seed_counts_once(tmp_path: Path) -> None:
    """With its trace or without."""
    paths = sorted(several(tmp_path, 3))
    first, other, copy = paths
    for path in (first, copy):
        reranked(path, some_ranks(7))
    records, problems = usable([tmp_path])  # as leaderboards read them
    assert [record.run_id for record in records] == [first.stem, other.stem]
    assert [problem.path for problem in problems] == [str(copy)]
    assert problems[0].what.endswith("repeats another's arrays")
    assert str(first) in problems[0].found
    edit(copy, lambda record: record.update(trace_sha256=write_trace(copy, TRACE)))
    edit(first, lambda record: record.update(trace_sha256=write_trace(first, TRACE)))
    assert [problem.what.split()[-1] for problem in verify([tmp_path])[1]] == ["trace"]


def test_a_trace_tells_where_ranks_were_altered(tmp_path: Path) -> None:
    for seed in range(2):
        path = made(tmp_path, seed)
        edit(path, lambda record: record.update(trace_sha256=write_trace(path, TRACE)))  # noqa: B023
    (problem,) = verify([tmp_path])[1]
    assert "repeats another's trace" in problem.what


def test_folds_are_trained_apart(tmp_path: Path) -> None:
    for index in range(2):
        made(tmp_path, spec={"fold": Fold(index=index, of=3)})
    (problem,) = verify([tmp_path])[1]
    assert "fold" in problem.what


def test_one_seed_in_two_rows_is_no_problem(tmp_path: Path) -> None:
    """A row of several variants or regimes is trained the same in each, and a tuner may find the suite's own values."""
    made(tmp_path)
    made(tmp_path, spec={"variant": "strong"})
    assert verify([tmp_path])[1] == []


def test_a_split_that_every_training_solves_is_no_copy(tmp_path: Path) -> None:
    ranks = {name: np.ones_like(values) for name, values in some_ranks(0).items()}
    ranks["image"][:19] = range(2, 21)
    paths = several(tmp_path, 2)
    for path in paths:
        reranked(path, ranks)
    assert usable([tmp_path])[1] == []
    ranks["text"][0] = 2
    for path in paths:
        reranked(path, ranks)
    assert len(usable([tmp_path])[1]) == 1


def test_arrays_that_cannot_be_read_are_a_problem_of_their_own(tmp_path: Path) -> None:
    paths = several(tmp_path, 2)
    for path in paths:
        reranked(path, some_ranks(7))
    for path in paths:
        arrays_path(path).unlink()
    assert set(whats(verify([tmp_path])[1])) == {"arrays unusable"}


def test_either_file_alone_is_fine_so_that_it_can_be_trained_again(tmp_path: Path) -> None:
    for path in several(tmp_path, 2):
        reranked(path, some_ranks(7))
        assert verify([path])[1] == []
