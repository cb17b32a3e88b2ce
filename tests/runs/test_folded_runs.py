"""Runs of cross-validation: teachers trained for each fold, every concept tested once, records that hold together."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import Offer
from kdbench.data.folded import FoldedSource
from kdbench.records.files import read_arrays, record_path
from kdbench.records.names import units_path
from kdbench.records.record import Record
from kdbench.records.sources import Disk, RecordFile
from kdbench.records.submit import submit
from kdbench.records.verify import verify
from kdbench.reports.results import load
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench.runs.rerun import rerun
from kdbench.statistics import explain, power
from kdbench.statistics.splits import split_of
from kdbench.suite.spec import Fold, RunSpec
from kdbench_plugins.teachers.trained import Trained
from tests.support.toys import SPLITS, Beads, plugged, run_context, run_spec

FOLDS = 3
SEEDS = 2
LEARNED = plugged("trained", "learned", student={"use": "toy"}, epochs=2, batch_size=8, lr=0.02)
PLAIN = plugged("beads", train=16, validation=12, test=10)


def spec_of(seed: int, index: int, **changes: Any) -> RunSpec:
    return run_spec(("a", LEARNED), seed=seed, fold=Fold(index=index, of=FOLDS), dataset=PLAIN, **changes)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    return run_context(tmp_path_factory.mktemp("folds"), teachers=[Offer("trained", Trained)])


@pytest.fixture(scope="module")
def records(context: RunContext) -> dict[tuple[str, int, int], Record]:
    """Two strategies, two seeds, three folds."""
    return {
        (use, seed, index): execute(spec_of(seed, index, strategy=plugged(use)), context)
        for use in ("equal", "ammkd")
        for seed in range(SEEDS)
        for index in range(FOLDS)
    }


def test_every_concept_is_tested_once_per_seed(records: dict[tuple[str, int, int], Record], context: RunContext) -> None:
    assert {record.status for record in records.values()} == {"ok"}
    assert len({record.dataset_digest for record in records.values()}) == 1
    assert len({record.split_digest for record in records.values()}) == FOLDS
    folds = [FoldedSource(Beads(), index, FOLDS).split("test") for index in range(FOLDS)]
    for (use, seed, index), record in records.items():
        path = record_path(context.results, "toys", record.run_id)
        assert record.label == f"toy · a+learned · {use} · seed {seed} · fold {index + 1}/3"
        assert record.sizes == {
            "images": len(folds[index].images),
            "captions": len(folds[index].captions),
            "concepts": record.sizes["concepts"],
        }
        arrays = read_arrays(path)
        assert (len(arrays["text"]), len(arrays["image"])) == (record.sizes["images"], record.sizes["captions"])
        assert units_path(path, record.split_digest).exists()
    tested = [record.sizes["concepts"] for (use, seed, _), record in records.items() if (use, seed) == ("equal", 0)]
    assert sum(tested) == 16 + 12 + 10


def test_records_verify_and_travel(records: dict[tuple[str, int, int], Record], context: RunContext, tmp_path: Path) -> None:
    found, problems = verify([context.results], context.plugins)
    assert (len(found), problems) == (len(records), [])
    submit([context.results], tmp_path / "bundle.zip", plugins=context.plugins)
    bundled = load(tmp_path / "bundle.zip", plugins=context.plugins)
    assert bundled.problems == []
    assert bundled.text() == load(context.results, plugins=context.plugins).text()


def test_a_fold_whose_units_are_lost_is_told(records: dict[tuple[str, int, int], Record], context: RunContext) -> None:
    record = records["equal", 0, 1]
    path = record_path(context.results, "toys", record.run_id)
    units = units_path(path, record.split_digest)
    assert RecordFile(Disk(), path.as_posix()).units(record) == units.as_posix()
    content = units.read_bytes()
    units.unlink()
    try:
        _, problems = verify([context.results], context.plugins)
        assert {problem.what for problem in problems} == {"test units unusable"}
        assert len(problems) == 1
    finally:
        units.write_bytes(content)


def test_a_row_is_seeds_and_folds(records: dict[tuple[str, int, int], Record], context: RunContext) -> None:
    results = load(context.results, plugins=context.plugins)
    (table,) = results.board.tables
    assert table.title.startswith("beads 3 folds · toy")
    assert (table.sizes["concepts"], table.budget) == (38, "3 epochs, steps of 8 samples")
    assert [(row.seeds, len(row.folds), len(row.runs)) for row in table.rows] == [((0, 1), 3, 6)] * 2
    row = next(row for row in table.rows if row.strategy == "equal")
    weights = [records["equal", 0, index].sizes["concepts"] for index in range(FOLDS)]
    for seed in range(SEEDS):
        metrics = [records["equal", seed, index].metrics["rsum"] for index in range(FOLDS)]
        assert row.by_seed[seed] == pytest.approx(np.average(metrics, weights=weights))
    assert row.value.mean == pytest.approx(np.mean(list(row.by_seed.values())))
    assert "2×3" in results.text()
    assert "n: seeds × folds" in results.text()
    assert json.loads(results.text("json"))["tables"][0]["rows"][0]["folds"] == 3
    assert results.table()["seeds"].tolist() == [2, 2]
    assert Counter(results.runs["fold"]) == dict.fromkeys(range(FOLDS), 4)
    assert list(results.queries().columns)[:4] == ["run", "cell", "seed", "fold"]


@pytest.mark.usefixtures("records")
def test_two_rows_are_compared_query_by_query_within_folds(context: RunContext) -> None:
    results = load(context.results, plugins=context.plugins)
    one, other = (row.runs for row in results.board.tables[0].rows)
    units = split_of(one, results.reading.units)[1]
    found = explain(one, other, units)
    assert found.seeds == [0, 1]
    for query in (*found.gained, *found.lost):
        assert query.fold is not None
        medians = [
            np.median([run.arrays()[query.of.array][query.index] for run in runs if run.fold == query.fold])
            for runs in (one, other)
        ]
        assert [query.a, query.b] == medians
    assert any(" of fold " in line for line in found.lines())
    needed = power(one, other, difference=20, units=units)
    assert (needed.size, needed.folds) == (76, 3)
    assert "2 seeds × 3 folds and 76 test images" in "\n".join(needed.lines())
    assert needed.notes[0] == "what training adds is estimated from 3 folds of 2 seeds"


@pytest.mark.usefixtures("records")
def test_teachers_are_trained_for_each_fold_and_all_is_encoded_once(context: RunContext) -> None:
    """Whatever the seed and the strategy. A teacher that does not train has the same outputs in all folds."""
    assert trainings(context) == FOLDS
    untrained, inputs, of_each_fold = (2 * len(SPLITS) for _ in range(3))  # images and captions of the dataset's own splits
    assert len(list(context.cache.root.glob("encodings/**/values.npy"))) == untrained + inputs + FOLDS * of_each_fold


def trainings(context: RunContext) -> int:
    """Of teachers, in the cache."""
    return len(list(context.cache.root.glob("teachers/**/weights.safetensors")))


def test_trainings_of_folds_differ_and_pairs_do_not(records: dict[tuple[str, int, int], Record], context: RunContext) -> None:
    again = rerun(
        RecordFile(Disk(), record_path(context.results, "toys", records["equal", 1, 2].run_id).as_posix()),
        records["equal", 1, 2],
        context.plugins,
        context.cache.root,
    )
    assert again.same
    rehearse(spec_of(0, 1), context)
    seeds = {records["equal", seed, index].spec.training_seed for seed in range(SEEDS) for index in range(FOLDS)}
    assert len(seeds) == SEEDS * FOLDS
    assert records["equal", 1, 1].spec.training_seed == records["ammkd", 1, 1].spec.training_seed


def test_a_teacher_itself_is_evaluated_on_every_fold(context: RunContext) -> None:
    specs = [
        RunSpec(
            **{
                **spec_of(0, index).model_dump(),
                "student": LEARNED,
                "team": (),
                "strategy": None,
                "objective": (),
                "train": None,
                "role": "reference",
            }
        )
        for index in range(FOLDS)
    ]
    found = [execute(spec, context) for spec in specs]
    assert [(record.status, record.spec.cell_id) for record in found] == [("ok", specs[0].cell_id)] * FOLDS
    assert found[1].label == "learned · teacher itself · fold 2/3"
    results = load([record_path(context.results, "toys", record.run_id) for record in found], plugins=context.plugins)
    (table,) = results.board.tables
    assert [(row.seeds, len(row.runs)) for row in table.references] == [((0,), 3)]
    assert trainings(context) == FOLDS
