"""Commands that show what records say: leaderboard, power."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kdbench.cli.leaderboard  # noqa: F401  # registers its commands
from kdbench.records.study_summary import StudySummary, TrialSummary, write_summary
from kdbench.suite.sweep import Settings
from tests.support.made_records import arrays_path, edit
from tests.support.rankings import row, write

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def results(tmp_path: Path) -> list[Path]:
    """Two rows of three seeds, one of them far behind."""
    return [write(tmp_path / "results", one) for one in (*row("equal", 1.0), *row("far", 4.0))]


def test_formats(typed: Command, results: list[Path]) -> None:
    code, out, err = typed("leaderboard")
    assert (code, err) == (0, "")
    assert out.startswith("Students at a glance")
    assert "\nbeads test · toy · 2 epochs" in out
    assert "Use equal of a + b: it is significantly better than every other row." in out
    assert json.loads(typed("leaderboard", "results", "--format", "json")[1])["tables"][0]["rows"][0]["strategy"] == "equal"
    assert typed("leaderboard", results[0], "--format", "csv")[1].startswith("table,dataset,")
    assert typed("leaderboard", "results", "--format", "markdown")[1].startswith("**Students at a glance")


def test_a_table_is_as_wide_as_the_terminal(typed: Command, results: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert results
    for columns in (60, 80, 140):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, typed("leaderboard")[1].splitlines())) <= columns
    monkeypatch.delenv("COLUMNS")
    assert max(map(len, typed("leaderboard")[1].splitlines())) <= 100
    assert max(map(len, typed("leaderboard", "--wide")[1].splitlines())) > 140


def test_columns_by_name(typed: Command, results: list[Path]) -> None:
    assert results
    code, out, _ = typed("leaderboard", "--columns", "strategy, rsum")
    assert code == 0
    assert [line.split() for line in out.splitlines() if "RSUM" in line and "strategy" in line] == [["strategy", "RSUM"]]
    assert "Students at a glance" not in out
    code, _, err = typed("leaderboard", "--columns", "strategy,RSUN")
    assert code == 2
    assert "found 'RSUN'; expected the name of a column. Did you mean 'RSUM'?" in err
    wide = typed("leaderboard", "--format", "markdown", "--wide")[1]
    assert wide.count("|") > typed("leaderboard", "--format", "markdown")[1].count("|")
    assert typed("leaderboard", "--format", "csv", "--wide")[1] == typed("leaderboard", "--format", "csv")[1]
    code, _, err = typed("leaderboard", "--format", "csv", "--columns", "rank")
    assert code == 2
    assert "columns" in err
    code, _, err = typed("leaderboard", "--wide", "--html", "site")
    assert code == 2
    assert "--wide and --columns are for what is printed" in err


def test_what_cannot_be_relied_on_is_left_out_and_told_and_the_rest_is_there(
    typed: Command, results: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is none, one with a metric edited, truncated ranks, a run with two records, another digest."""
    monkeypatch.setenv("COLUMNS", "120")
    results[0].write_text("{}")
    edit(results[1], lambda record: record["metrics"].update(rsum=record["metrics"]["rsum"] + 1))
    arrays_path(results[3]).write_bytes(arrays_path(results[3]).read_bytes()[:-20])
    copy = results[4].parent.with_name("copy") / results[4].name
    copy.parent.mkdir()
    for name in (lambda path: path, arrays_path):
        name(copy).write_bytes(name(results[4]).read_bytes())
    edit(results[5], lambda record: record.update(dataset_digest="f" * 64))
    code, out, _ = typed("leaderboard")
    assert code == 0
    assert len([line for line in out.splitlines() if line.startswith("- ") and "left out: " in line]) == 5
    words = " ".join(out.split())  # long lines are wrapped
    for told in (
        "not a record",
        "metrics.rsum does not follow",
        "arrays unusable",
        "has two records",
        "dataset_digest of beads",
    ):
        assert told in words
    rows = [line.split() for line in out.splitlines() if " a + b " in line and "±" in line and ": " not in line]
    assert [line[5:7] for line in rows] == [["equal", "1!"], ["far", "1!"]]


def test_nothing_there(typed: Command, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert typed("leaderboard") == (0, "No finished runs.\n", "")
    code, _, err = typed("power", "5")
    assert code == 2
    assert "no table has two rows to compare" in err


def test_power_says_what_it_takes(typed: Command, results: list[Path]) -> None:
    assert results
    code, out, err = typed("power", "5")
    assert (code, err) == (0, "")
    assert "a difference of 5 RSUM, 80% power at 5%" in out
    assert typed("power", "5", "--between", "far", "equal")[1].startswith("far of a + b against equal of a + b")
    assert "a difference of 5 t2i R@1, 80% power" in typed("power", "5", "--metric", "image_retrieval_recall@1")[1]
    assert typed("power", "0")[0] == 2


def test_site_and_pictures(typed: Command, results: list[Path], tmp_path: Path) -> None:
    assert results
    code, out, err = typed("leaderboard", "--html", "site", "--pictures", "pictures")
    assert (code, out) == (0, "")
    assert re.search(r"site: \d+ files, open site/index.html", err)
    assert (tmp_path / "site/index.html").read_text().count("significantly better than every other row") >= 1
    assert list((tmp_path / "pictures").glob("*.svg"))


def test_studies_stand_in_the_site_and_a_bad_one_stops_nothing(typed: Command, results: list[Path], tmp_path: Path) -> None:
    cell = json.loads(results[0].read_text())["spec"]
    study = StudySummary(
        study="toy-0123456789ab",
        digest="0123456789ab",
        suite="tiny",
        label="toy",
        spec=cell,
        space=(),
        settings=Settings(trials=1, metric="rsum"),
        goals=["rsum"],
        directions=["maximize"],
        best=0,
        trials=[TrialSummary(number=0, state="complete", params={"train.lr": 0.2}, values=[7.5])],
    )
    path = write_summary(tmp_path / "results", study)
    path.with_name("bad.json").write_text("{}")
    code, _, err = typed("leaderboard", "--html", "site")
    assert code == 0, err
    (page,) = (tmp_path / "site/tuning").iterdir()
    index = (tmp_path / "site/index.html").read_text()
    assert f'href="tuning/{page.name}"' in index
    assert "left out: results/tiny/sweep/bad.json: not a study&#39;s summary: study" in index
    assert "sweep" not in typed("leaderboard")[1]
