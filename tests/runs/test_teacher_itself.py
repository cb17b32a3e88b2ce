"""Teachers ranked as they are: rows without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.support.toys import Beads, Sage, bench, cached, plugged, run_spec, sage, toy_plugins

from kdbench import Lesson
from kdbench.reports import build
from kdbench.plugins.building import building_with
from kdbench.suite.plan import RunSpec
from kdbench.records.reading import read_measured
from kdbench.tasks.retrieval.ranks import ranks
from kdbench.records.record import read_ranks, record_path
from kdbench.runs.teacher_itself import rank_teacher
from kdbench.runs.execute import execute

NO_LESSON: Lesson = None  # type: ignore[assignment]  # a sage learns nothing


def reference(**changes: object) -> RunSpec:
    spec = run_spec([])
    fields = {name: getattr(spec, name) for name in RunSpec.__dataclass_fields__}
    return RunSpec(**fields | {"student": sage("a"), "train": {}, "role": "reference"} | changes)


def test_ranks_are_those_of_the_teachers_embeddings(tmp_path: Path) -> None:
    towers = Sage(width=7, seed=2).towers(NO_LESSON)
    for name in ("test", "validation"):
        split = Beads().split(name)
        image = towers.image.encode(np.stack(list(split.images)), "cpu").half().float().numpy()
        text = towers.text.encode(split.captions, "cpu").half().float().numpy()
        with building_with(toy_plugins()):
            found = rank_teacher(plugged("sage", width=7, seed=2), cached(tmp_path), name)
        expected = ranks(image, text, split.image_concepts, split.caption_concepts)
        np.testing.assert_array_equal(found.text, expected)
        np.testing.assert_array_equal(found.image, ranks(text, image, split.caption_concepts, split.image_concepts))


def test_a_run_of_one_trains_nothing(tmp_path: Path) -> None:
    where, spec = bench(tmp_path), reference()
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    assert (record.steps, record.weights, record.validation, record.timings["train"]) == (None, {}, {}, 0.0)
    found = read_ranks(record_path(where.results, spec.suite, spec.run_id))
    assert record.metrics == found.metrics([1, 5])
    assert record.sizes == {"images": 20, "captions": 30, "concepts": 10}
    assert spec.label == "a · as it is"


def test_it_joins_the_tables_of_its_dataset_whatever_they_were_trained_with(tmp_path: Path) -> None:
    where = bench(tmp_path)
    short = run_spec(["a"], train={"epochs": 1})
    for spec in (reference(), run_spec(["a"]), short):
        assert execute(spec, where).status == "ok"
    runs = read_measured([where.results]).runs
    board = build(runs)
    assert len(board.tables) == 2
    for table in board.tables:
        assert [(row.student, row.teachers) for row in table.references] == [("a", "as it is")]
        assert [(row.student, row.teachers) for row in table.rows] == [("toy", "a")]
    [alone] = build([run for run in runs if run.record.spec["role"]]).tables
    assert (alone.budget, alone.rows, len(alone.references)) == ("no training", [], 1)


def test_smoke_rows_join_no_leaderboard(tmp_path: Path) -> None:
    where = bench(tmp_path)
    real, trial = execute(reference(), where), execute(reference(smoke=True), where)
    assert real.run_id != trial.run_id
    runs = read_measured([where.results]).runs
    assert len(runs) == 2
    board = build(runs)
    assert [len(table.references) for table in board.tables] == [1]
    assert board.notes == ["1 rows of smoke runs left out: they show that things work, not how well"]
    [table] = build([run for run in runs if run.record.spec["smoke"]], smoke=True).tables
    assert table.title.startswith("SMOKE, not publishable")
