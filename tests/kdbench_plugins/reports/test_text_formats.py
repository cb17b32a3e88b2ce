"""Reports as plugins: the texts of a leaderboard, and a report that a third party offers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from kdbench.contracts import Offer
from kdbench.contracts.hookspecs import hookimpl
from kdbench.contracts.report import Report, Reported, TextReport
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins, installed
from kdbench.plugins.parameters import construct
from kdbench.reports import Board, leaderboard
from tests.support.made_boards import ERROR, profile, row, student, table

FORMATS = ("table", "markdown", "csv", "json")


@pytest.fixture
def material() -> Reported:
    rows = [replace(row(name, mean, metric=ERROR), first=place, last=place) for place, (name, mean) in enumerate(MEANS, 1)]
    return Reported(Board([table(*rows)], ["a note"]), [profile(student(), {1: 1.0}, {1: 1.0})])


MEANS = (("ammkd", 1.0), ("equal", 2.0))


def report(name: str, plugins: Plugins | None = None) -> Report:
    built: Report = construct((plugins or installed()).find("report", name).offer, {})
    return built


def test_first_party_reports_are_offered_like_anyones() -> None:
    assert {"site", "figures", *FORMATS} <= set(installed().offers("report"))
    assert all(isinstance(report(name), TextReport) for name in FORMATS)
    assert not isinstance(report("site"), TextReport)
    assert not isinstance(report("figures"), TextReport)


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_is_what_the_leaderboard_prints_and_a_file_holds_it(name: str, material: Reported, tmp_path: Path) -> None:
    found = report(name)
    assert isinstance(found, TextReport)
    assert found.text(material) == leaderboard(material.board, material.profiles, name)  # type: ignore[arg-type]
    (path,) = found.write(material, tmp_path / "new" / "board")
    assert path == tmp_path / "new" / "board"
    assert path.read_text(encoding="utf-8") == f"{found.text(material)}\n"


def test_a_terminal_table_is_as_narrow_as_asked(material: Reported) -> None:
    found = report("table")
    assert isinstance(found, TextReport)
    first, *_ = (line for line in found.text(material, 60).splitlines() if line.lstrip().startswith("rank"))
    assert len(first) <= 60


def test_programs_read_csv_and_json(material: Reported) -> None:
    texts = {name: found.text(material) for name in ("csv", "json") if isinstance(found := report(name), TextReport)}
    lines = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [line["strategy"] for line in lines] == ["ammkd", "equal"]
    assert [one["strategy"] for one in json.loads(texts["json"])["tables"][0]["rows"]] == ["ammkd", "equal"]


def test_a_file_that_cannot_be_written_is_named(material: Reported, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KdbenchError, match=r"board: cannot be written"):
        report("csv").write(material, tmp_path / "file" / "board")


@pytest.mark.parametrize(("name", "first"), [("site", "index.html"), ("figures", "plane-latency-shapes-")])
def test_folders_hold_what_there_is_to_report(name: str, first: str, material: Reported, tmp_path: Path) -> None:
    paths = report(name).write(material, tmp_path / name)
    assert paths[0].name.startswith(first)
    assert all(path.is_file() and path.is_relative_to(tmp_path / name) for path in paths)


class Best:
    """The example of `kdbench.contracts.report.Report`."""

    def write(self, material: Reported, target: Path) -> list[Path]:
        lines = [f"{table.title}: {table.rows[0].name}" for table in material.board.tables if table.rows]
        target.write_text("\n".join(lines))
        return [target]


class ThirdParty:
    @hookimpl
    def kdbench_reports(self) -> Iterable[Offer[Report]]:
        return [Offer("best", Best, "the best row of each table")]


def test_a_third_party_adds_a_report(material: Reported, tmp_path: Path) -> None:
    plugins = Plugins()
    plugins.register(ThirdParty(), "third")
    (path,) = report("best", plugins).write(material, tmp_path / "best.txt")
    assert path.read_text().endswith(": ammkd of a + b")
