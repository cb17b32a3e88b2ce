"""Blocks of pages that show what regimes advise: made from records of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.tools import picture_blocks
from docs.tools.blocks import filled
from docs.tools.regime_blocks import regimes_advice, regimes_resolution
from docs.tools.result_blocks import read
from kdbench_plugins.reports.figures.picture_files import embedded
from tests.support.rankings import write
from tests.support.situations import situations


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of records of three regimes, as `read` takes it."""
    results = tmp_path_factory.mktemp("results")
    for run in situations():
        write(results, run)
    return str(results / "tiny")


def test_the_picture_holds_the_gains_and_is_drawn_alike_each_time(folder: str, tmp_path: Path) -> None:
    first, second = (picture_blocks.write("regimes_picture", folder, tmp_path / name) for name in ("a", "b"))
    assert first.relative_to(tmp_path / "a") == Path("docs/images/tiny-regimes.svg")
    assert first.read_bytes() == second.read_bytes()
    assert embedded(first).count("regime ") == 3


def test_a_page_shows_the_picture_from_where_it_is(folder: str) -> None:
    shown = {page: picture_blocks.shown("regimes_picture", folder, page) for page in ("README.md", "docs/results.md")}
    assert shown["README.md"].startswith("![Gains over equal of 5 rows in 3 regimes: 4 better, 2 worse")
    assert shown["README.md"].endswith("](docs/images/tiny-regimes.svg)")
    assert shown["docs/results.md"].endswith("](images/tiny-regimes.svg)")
    assert str(picture_blocks.path_of("regimes_picture", "results/regimes")) == "docs/images/regimes.svg"


def test_the_paragraph_is_made_in_place(folder: str) -> None:
    page = f"<!-- generated: regimes_advice {folder} -->\n<!-- end -->"
    made = filled(page, {"regimes_advice": regimes_advice})
    assert "Weighting matters in 2 of 3 regimes: “mixed” and “wrong”." in made


def test_the_table_says_what_runs_resolve(folder: str) -> None:
    heads, _, *lines = (line.strip("| ").split(" | ") for line in regimes_resolution(folder).splitlines())
    metrics = ["RSUM", "mean log-rank"]
    assert heads == [
        *("regime", "rows", "runs", "hours"),
        *(f"resolves, {metric}" for metric in metrics),
        *("best strategy", *(f"its gain, {metric}" for metric in metrics)),
    ]
    regimes = {one.name: one for one in read(folder)[1].regimes}
    assert [line[0] for line in lines] == list(regimes)
    for name, *line in lines:
        one = regimes[name]
        assert line[:3] == [str(len(one.table.rows)), str(one.runs), "0.0"]
        assert all(float(value) > 0 for value in line[3:5])
        best = next(gain for gain in one.weightings if gain.label != "told")  # nobody can use those weights
        assert line[5] == f"{best.label}, {best.found}"
        assert line[7] == f"{best.mean:+.3f}"
