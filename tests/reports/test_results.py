"""Results as a Python program reads them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kdbench
from kdbench.errors import RecordError
from kdbench.records.files import read_arrays
from kdbench.reports.results import load
from kdbench.suite.spec import TaskDataset
from tests.support.made_records import cut, edit, made, several
from tests.support.paths import ROOT
from tests.support.toys import run_spec, toy_plugins


@pytest.fixture(scope="module")
def emoji() -> kdbench.Results:
    """Published records, of five folds, with rows of references."""
    return load(ROOT / "results/emoji")


@pytest.fixture(scope="module")
def views() -> kdbench.Results:
    """Published records."""
    return load(ROOT / "results/emoji-views")


def test_its_repr_is_one_short_line(views: kdbench.Results) -> None:
    assert repr(views) == "<Results: 70 finished, 0 unfinished and 0 left-out runs; see .table(), .runs, .text()>"


def test_table_has_a_row_for_each_cell_with_intervals_and_groups(emoji: kdbench.Results) -> None:
    table = emoji.table()
    rows = [row for board in emoji.board.tables for row in (*board.rows, *board.references)]
    assert table["cell"].tolist() == [row.id for row in rows]
    assert table["log_rank"].tolist() == [row.value.mean for row in rows]
    assert table["log_rank_low"].tolist() == [row.value.low for row in rows]
    assert table["log_rank_high"].tolist() == [row.value.high for row in rows]
    assert table["reference"].tolist() == [row.reference for row in rows]
    assert table.loc[table["reference"], ["rank_first", "rank_last", "group"]].isna().all(axis=None)
    trained = table[~table["reference"]]
    assert trained["group"].tolist() == [row.group for row in rows if not row.reference]
    assert trained["seeds"].tolist() == [len(row.seeds) for row in rows if not row.reference]
    assert set(trained["teachers"]) >= {"", "lite0", "lite0 + lite2"}
    assert {"train_seconds", "weight_lite0", "protocol", "strategy", "student", "dataset"} <= set(table.columns)


def test_runs_has_a_row_for_each_run_in_shown_units(views: kdbench.Results) -> None:
    runs = views.runs
    assert len(runs) == len(views.reading.runs) == runs["run"].nunique()
    one = views.reading.runs[0].record
    row = runs.set_index("run").loc[one.run_id]
    assert row["rsum"] == one.metrics["rsum"]
    assert row["text_retrieval_recall@1"] == pytest.approx(100 * one.metrics["text_retrieval_recall@1"])
    assert (row["seed"], row["status"], row["train_seconds"]) == (one.spec.seed, "ok", one.timings["train"])
    means = runs[runs["train_seconds"] > 0].groupby("cell")["rsum"].mean()
    table = views.table().set_index("cell")
    for cell, mean in means.items():
        assert table.loc[str(cell), "rsum"] == pytest.approx(mean)


def test_runs_trained_elsewhere_say_so(tmp_path: Path, views: kdbench.Results) -> None:
    spec = run_spec()
    far = spec.dataset.replace(name="far")
    made(tmp_path, spec=spec)
    elsewhere = spec.replace(dataset=far, trained_on=TaskDataset(task=spec.task, dataset=spec.dataset))
    made(tmp_path, spec=elsewhere, validation={}, dataset_digest="f" * 64)
    found = load(tmp_path, plugins=toy_plugins())
    assert found.problems == []
    for frame in (found.table(), found.runs):
        columns = frame.columns.tolist()
        assert columns.index("trained_on") == columns.index("dataset") + 1
        assert sorted(zip(frame["dataset"], frame["trained_on"], strict=True)) == [("beads", "beads"), ("far", "beads")]
    assert not {"trained_on"} & {*views.table().columns, *views.runs.columns}


def test_queries_are_long_and_give_the_metrics_again(views: kdbench.Results) -> None:
    queries = views.queries()
    assert list(queries.columns) == ["run", "cell", "seed", "array", "query", "value", "unit"]
    per_run = queries.groupby(["run", "array"], observed=True)["value"].agg(lambda ranks: float((ranks <= 5).mean()))
    for run in views.reading.runs:
        record = run.record
        assert per_run[record.run_id, "text"] == pytest.approx(record.metrics["text_retrieval_recall@5"])
        assert per_run[record.run_id, "image"] == pytest.approx(record.metrics["image_retrieval_recall@5"])
    sizes = views.reading.runs[0].record.sizes
    assert queries["unit"].nunique() == sizes["concepts"]


def test_of_records_without_units_each_query_is_one(tmp_path: Path) -> None:
    paths = several(tmp_path / "results", 2)
    found = load(paths[0])
    found.reading.units.clear()
    queries = found.queries()
    stored = read_arrays(paths[0])
    for name, values in stored.items():
        part = queries[queries["array"] == name]
        np.testing.assert_array_equal(part["value"], values)
        np.testing.assert_array_equal(part["unit"], np.arange(len(values)))


def test_failed_runs_have_a_row_and_no_metrics(tmp_path: Path) -> None:
    ok, failed = several(tmp_path / "results", 2)

    def fail(content: dict[str, object]) -> None:
        content |= {"status": "failed", "reason": "out of memory", "metrics": {}, "arrays_sha256": None, "trace_sha256": None}

    edit(failed, fail)
    found = load(tmp_path / "results")
    runs = found.runs.set_index("run")
    assert runs.loc[failed.stem, "status"] == "failed"
    assert runs["rsum"].isna().tolist() == [run == failed.stem for run in runs.index]
    assert runs.loc[ok.stem, "status"] == "ok"
    assert [record.run_id for record in found.failed] == [failed.stem]
    assert "out of memory" in found.text()


def test_what_cannot_be_relied_on_is_left_out_and_named(tmp_path: Path) -> None:
    first, second = several(tmp_path / "results", 2)
    cut(first)
    found = load(str(tmp_path / "results"))
    assert found.runs["run"].tolist() == [second.stem]
    (problem,) = found.problems
    assert str(first) in problem
    assert found.board.notes[0] == f"left out: {problem}"


def test_nothing_there(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (len(found.table()), len(found.runs), len(found.queries())) == (0, 0, 0)
    assert "rank_first" in found.table()
    assert found.text() == str(found) == "No finished runs."
    with pytest.raises(RecordError, match="no such file or folder"):
        load(tmp_path / "absent")


def test_text_is_what_the_command_prints(views: kdbench.Results) -> None:
    assert json.loads(views.text("json"))["tables"][0]["id"] == views.board.tables[0].id
    assert "<table" in views._repr_html_()
