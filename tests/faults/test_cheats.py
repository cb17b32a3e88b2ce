"""What a dishonest submitter may do to records that hold together, and what shows it: the table in docs/publishing.md.

What only training again shows is in tests/runs/test_rerun.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.records.files import read_record, write_record, write_trace
from kdbench.records.verify import verify
from kdbench.reports.board import Board
from kdbench.reports.results import load
from kdbench.suite.spec import Tuning
from tests.support.made_records import TRACE, edit, made, reranked, some_ranks, tuned, whats
from tests.support.toys import plugged, sage, term, toy_plugins

OURS = {"strategy": plugged("ammkd", "ours")}


def honest(results: Path, seeds: int = 3) -> list[Path]:
    """Equal weights, the row to beat."""
    return [made(results, seed) for seed in range(seeds)]


def ours(results: Path, seed: int, **spec: Any) -> Path:
    """A run of the submitter's row."""
    path = made(results, seed, spec=OURS | spec)
    reranked(path, some_ranks(seed + 10))
    return path


def board(results: Path) -> Board:
    return load(results, plugins=toy_plugins()).board


def names(results: Path) -> list[str]:
    return [row.name for table in board(results).tables for row in table.rows]


pytestmark = pytest.mark.fault("a dishonest set of records")


def test_one_training_under_five_seeds(tmp_path: Path) -> None:
    """Also where the trace of each is another: it counts as one seed."""
    honest(tmp_path, 5)
    for seed in range(5):
        reranked(ours(tmp_path, seed), some_ranks(10))
    assert len(verify([tmp_path], toy_plugins())[1]) == 4
    told = board(tmp_path)
    assert {row.label: len(row.seeds) for row in told.tables[0].rows} == {"equal of a + b": 5, "ours of a + b": 1}
    assert sum("repeats another's arrays" in note for note in told.notes) == 4


def test_one_training_under_five_seeds_with_a_rank_altered_in_each(tmp_path: Path) -> None:
    """Its traces still tell."""
    for seed in range(3):
        path = ours(tmp_path, seed)
        edit(path, lambda record: record.update(trace_sha256=write_trace(path, TRACE)))  # noqa: B023
    assert [what.split()[-1] for what in whats(verify([tmp_path], toy_plugins())[1])] == ["trace", "trace"]


def test_a_row_copied_under_another_name(tmp_path: Path) -> None:
    honest(tmp_path)
    made(tmp_path, 0, spec=OURS)
    assert any("have identical results in 1 run (seed 0)" in note for note in board(tmp_path).notes)


def test_a_bad_seed_dropped(tmp_path: Path) -> None:
    honest(tmp_path)
    for seed in (0, 2):
        ours(tmp_path, seed)
    assert any("no record of seed 1 that other rows of the table have" in note for note in board(tmp_path).notes)


def test_the_best_seeds_of_many(tmp_path: Path) -> None:
    for seed in (3, 17, 40):
        made(tmp_path, seed)
        ours(tmp_path, seed)
    assert any("no row has seeds 4, 5, 6" in note for note in board(tmp_path).notes)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train": {"lr": 0.5}}, "train.lr=0.5"),
        ({"train": {"distill": 2.0}}, "train.distill=2"),
        ({"objective": (term("relational_kl", temperature=9.0), term("feature", 0.5))}, "relational_kl (temperature 9)"),
        ({"team": (plugged("better", "a"), sage("b"))}, "teachers.a.use=better"),
    ],
    ids=["learning rate", "λ", "temperature", "teacher"],
)
@pytest.mark.parametrize("regime", [{}, {"variant": "loud", "regime": True}], ids=["plain", "regime"])
def test_one_row_run_otherwise(change: dict[str, Any], named: str, regime: dict[str, Any], tmp_path: Path) -> None:
    for seed in range(2):
        made(tmp_path, seed, spec=regime)
        ours(tmp_path, seed, **regime, **change)
    assert verify([tmp_path], toy_plugins())[1] == []
    (mine,) = [name for name in names(tmp_path) if name.startswith("ours")]
    assert named in mine


def test_a_variant_that_hides_what_it_changes(tmp_path: Path) -> None:
    honest(tmp_path)
    for seed in range(3):
        ours(tmp_path, seed, variant="ours", train={"lr": 0.5})
    (table,) = board(tmp_path).tables
    assert any(note.startswith("variants differ in their settings: ") and "ours (train.lr=0.5)" in note for note in table.notes)


def test_tuned_declared_untuned(tmp_path: Path) -> None:
    """Its parameters are named; that they were chosen on the test split or by a study is not in the records."""
    honest(tmp_path)
    for path in tuned(tmp_path)[1]:
        spec = read_record(path).spec.replace(tuning=None, **OURS)
        path.unlink()
        reranked(made(tmp_path, spec.seed, spec=spec), some_ranks(spec.seed + 10))
    assert verify([tmp_path], toy_plugins())[1] == []
    assert any("train.lr=0.05" in name and name.startswith("ours") for name in names(tmp_path))
    assert any("choosing between them by these figures is tuning on the test split" in note for note in _notes(tmp_path))


def test_untuned_declared_tuned(tmp_path: Path) -> None:
    made(tmp_path, spec=OURS | {"train": {"lr": 0.5}, "tuning": Tuning(split="validation", trials=9, metric="rsum")})
    assert whats(verify([tmp_path], toy_plugins())[1]) == ["tuned, without its study's summary"]


def test_another_dataset_under_the_same_name(tmp_path: Path) -> None:
    """Beside records of the true one it is outvoted; in a suite of its own it is a table of its own, which names its digest."""
    honest(tmp_path)
    edit(ours(tmp_path, 0), lambda record: record.update(dataset_digest="e" * 64))
    assert whats(verify([tmp_path], toy_plugins())[1]) == ["dataset_digest of beads differs from that of the others"]
    elsewhere = ours(tmp_path, 0, suite="mine")
    edit(elsewhere, lambda record: record.update(dataset_digest="e" * 64))
    told = board(tmp_path)
    assert {table.digest[:8] for table in told.tables} == {"dddddddd", "eeeeeeee"}
    assert all(table.digest[:8] in table.split for table in told.tables)
    assert any("rows do not compare if they differ in dataset (beads (digest dddddddd); beads" in note for note in told.notes)


def test_what_records_alone_do_not_show(tmp_path: Path) -> None:
    """Invented ranks, with all that follows from them; an invented commit; one wrong digest in all records."""
    for path in honest(tmp_path):
        reranked(path, {name: values // 2 + 1 for name, values in some_ranks(int(path.stem, 16) % 1000).items()})
        write_record(tmp_path, read_record(path).replace(commit="f" * 40, dirty=False, dataset_digest="e" * 64))
    assert verify([tmp_path], toy_plugins())[1] == []
    assert board(tmp_path).notes == []


def _notes(results: Path) -> list[str]:
    return [note for table in board(results).tables for note in table.notes]
