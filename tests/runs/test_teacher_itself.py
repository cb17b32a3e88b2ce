"""Teachers ranked as they are: rows without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdbench import TeacherData
from kdbench.records.files import record_path
from kdbench.records.reading import read_measured
from kdbench.reports import build
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.one_way import ranks
from kdbench.tasks.retrieval.teachers import rank_teacher
from tests.support.toys import Beads, Sage, cached, read_ranks, run_context, run_spec, sage

NO_DATA: TeacherData = None  # type: ignore[assignment]  # a sage learns nothing


def reference(**changes: Any) -> RunSpec:
    return run_spec([]).replace(**{"student": sage("a"), "train": None, "role": "reference"} | changes)


def test_ranks_are_those_of_the_teachers_embeddings(tmp_path: Path) -> None:
    towers = Sage(width=7, seed=2).towers(NO_DATA)
    for name in ("test", "validation"):
        split = Beads().split(name)
        image = towers.image.encode(np.stack(list(split.images)), "cpu").half().float().numpy()
        text = towers.text.encode(split.captions, "cpu").half().float().numpy()
        found = rank_teacher(cached(tmp_path), Sage(width=7, seed=2), name, Retrieval())
        expected = ranks(image, text, split.image_concepts, split.caption_concepts)
        np.testing.assert_array_equal(found.text, expected)
        np.testing.assert_array_equal(found.image, ranks(text, image, split.caption_concepts, split.image_concepts))


def test_a_run_of_one_trains_nothing(tmp_path: Path) -> None:
    where, spec = run_context(tmp_path), reference()
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    assert (record.steps, record.weights, record.validation, record.timings["train"]) == (None, {}, {}, 0.0)
    found = read_ranks(record_path(where.results, spec.suite, spec.run_id))
    assert record.metrics == found.metrics([1, 5])
    assert record.sizes == {"images": 20, "captions": 30, "concepts": 10}
    assert spec.label == "a · teacher itself"


def test_it_joins_the_tables_of_its_dataset_whatever_they_were_trained_with(tmp_path: Path) -> None:
    where = run_context(tmp_path)
    short = run_spec(["a"], train={"epochs": 1})
    for spec in (reference(), run_spec(["a"]), short):
        assert execute(spec, where).status == "ok"
    runs = read_measured([where.results]).runs
    board = build(runs)
    assert len(board.tables) == 2
    for table in board.tables:
        assert [(row.student, row.teachers) for row in table.references] == [("a", "teacher itself")]
        assert [(row.student, row.teachers) for row in table.rows] == [("toy", "a")]
    [alone] = build([run for run in runs if run.record.spec.reference]).tables
    assert (alone.budget, alone.rows, len(alone.references)) == ("no training", [], 1)


def test_smoke_rows_join_no_leaderboard(tmp_path: Path) -> None:
    where = run_context(tmp_path)
    real, trial = execute(reference(), where), execute(reference(smoke=True), where)
    assert real.run_id != trial.run_id
    runs = read_measured([where.results]).runs
    assert len(runs) == 2
    board = build(runs)
    assert [len(table.references) for table in board.tables] == [1]
    assert board.notes == ["1 smoke run left out: they show that things work, not how well"]
    [table] = build([run for run in runs if run.record.spec.smoke], smoke=True).tables
    assert table.title.startswith("SMOKE, not publishable")
