"""The pages themselves, read as a browser without scripts reads them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml

from kdbench.contracts.shown import Picture
from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.records.trace import Trace
from kdbench.reports.board import Board
from kdbench.reports.summary import summaries
from kdbench.reports.verdict import NO_STUDENT, NO_VERDICT, Verdict
from kdbench.statistics.value import Value
from kdbench_plugins.reports.site.page_names import slug, token
from kdbench_plugins.reports.site.site_pages import Written, write_site
from kdbench_plugins.reports.site.spec_yaml import spec_values
from tests.support.site_boards import (
    IMAGE,
    METHODS,
    SCRIPT,
    board_of,
    hostile,
    measured_in,
    planes_of,
)

VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """Elements with their attributes and texts; fails on elements that do not close in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}
        self.open: list[tuple[str, int]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open, f"{path}: {self.open} stay open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append((tag, len(self.elements)))
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, place in self.open:
            self.texts[place] = self.texts.get(place, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str, **wanted: str) -> list[str]:
        return [
            self.texts.get(place, "")
            for place, (name, attributes) in enumerate(self.elements)
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]


def drawn(run: Measured) -> list[Picture]:
    """Pictures of students; of teachers themselves none."""
    return [] if run.record.spec.reference else [Picture("Truth <i>", b"one"), Picture("Spectrum", b"two", drawn=True)]


def test_a_run_has_its_pictures_beside_its_figures(tmp_path: Path, board: Board) -> None:
    folder = write_site(tmp_path / "site", board, [], [], [], pictures=drawn).entry.parent
    run = next(run for table in board.tables for row in table.rows for run in row.runs)
    name = token(run.record.run_id)
    page = Page(folder / f"runs/{name}.html")
    assert [image["src"] for image in page.all("img")] == [f"../pictures/{name}-{number}.png" for number in (1, 2)]
    assert [(folder / f"pictures/{name}-{number}.png").read_bytes() for number in (1, 2)] == [b"one", b"two"]
    assert page.text("figcaption") == ["Truth <i>", "Spectrum"]
    reference = board.tables[0].references[0].runs[0]
    assert "pictures" not in Page(folder / f"runs/{token(reference.record.run_id)}.html").ids


@pytest.fixture(scope="module")
def board() -> Board:
    return board_of(measured_in("emoji"))


@pytest.fixture(scope="module")
def site(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("real") / "site"
    return write_site(folder, board, planes_of(board), [], METHODS, summaries=summaries(board))


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Written:
    board, folder = hostile(), tmp_path_factory.mktemp("hostile") / "site"
    return write_site(folder, board, planes_of(board), [], [], summaries=summaries(board))


def _pages(site: Written) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.entry.parent.rglob("*.html"))}


@pytest.mark.parametrize("which", ["site", "hostile_site"])
def test_links_lead_to_files_and_anchors_that_exist_and_nothing_comes_from_elsewhere(
    which: str, request: pytest.FixtureRequest
) -> None:
    site: Written = request.getfixturevalue(which)
    pages = _pages(site)
    assert len(pages) == site.pages
    for path, page in pages.items():
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "srcset"]
            loaded = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
            if loaded and loaded != "data:,":
                assert re.match(r"(\.\./)?assets/[a-z.]+$", loaded)
                assert (path.parent / loaded).is_file()
            target = attributes.get("href")
            if tag == "a" and target and not target.startswith("https://example.org/"):
                file, anchor = urldefrag(target)
                assert not re.match(r"[a-z]+:|//", file)
                goal = (path.parent / unquote(file)).resolve() if file else path
                assert goal in pages, f"{path.name} links to {target}"
                assert not anchor or anchor in pages[goal].ids, f"{path.name} links to {target}"
        assert len(page.ids) == len(set(page.ids)), path
        referred = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
        assert set(referred) <= set(page.ids)


def test_every_page_has_what_a_page_needs(site: Written) -> None:
    for page in _pages(site).values():
        assert page.all("html") == [{"lang": "en"}]
        assert len(page.all("h1")) == 1
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}
        metas = {
            attributes.get("name") or attributes.get("http-equiv"): attributes.get("content") for attributes in page.all("meta")
        }
        assert "width=device-width" in str(metas["viewport"])
        assert all("hidden" in plot for plot in page.all("div") if plot.get("class") == "plot")  # until a script draws it
        policy = str(metas["Content-Security-Policy"])
        assert "default-src 'none'" in policy
        assert re.search(r"script-src 'self' file:(;|$)", policy)
        assert not [script for script in page.all("script") if "src" not in script and script.get("type") != "application/json"]
        assert all(
            attributes.get("tabindex") == "0" and attributes.get("aria-label")
            for _, attributes in page.elements
            if attributes.get("role") == "region"
        )


def test_the_answer_comes_first_and_every_table_has_its_facts(site: Written, board: Board) -> None:
    page = Page(site.entry)
    assert page.text("p", **{"class": "verdict"}) == [table.sentence for table in board.tables]
    assert [text for text in page.text("h2") if text in {table.title for table in board.tables}] == [
        t.title for t in board.tables
    ]
    assert page.text("p", **{"class": "incomplete"}) == ["incomplete: random weights, each teacher alone missing"] * len(
        board.tables
    )
    assert [text.strip() for text in page.text("p", **{"class": "facts"})] == [table.split for table in board.tables]
    notes = "\n".join(page.text("li"))
    assert "pebble: not profiled here" in notes
    assert "3 seeds a row" in notes
    assert "a run was skipped: no GPU" in notes
    assert "† reconstruction (its source leaves something open): ammkd" in notes
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(th.get("scope") for th in page.all("th"))


def test_the_summary_stands_before_the_tables_and_leads_to_their_rows(site: Written, board: Board) -> None:
    text = site.entry.read_text(encoding="utf-8")
    start, end = text.index('id="glance-1"'), text.index("</table>", text.index('id="glance-1"'))
    assert end < min(text.index(f'id="table-{table.id}"') for table in board.tables)
    (summary,) = summaries(board)
    found = text[start:end]
    for student in summary.students:
        for line in student.lines:
            assert f'href="#row-{line.table.id}-{line.row.id}"' in found
            assert f"{line.row.value.mean:,.{line.row.headline.decimals}f}" in found
    assert found.count("<tbody>") == len(board.tables)
    assert "Params" not in found, "no student was measured"


def test_a_row_shows_its_rank_group_figures_costs_and_runs(site: Written, board: Board) -> None:
    text = site.entry.read_text(encoding="utf-8")
    for table in board.tables:
        for row in table.rows:
            found = re.search(rf'<tr id="row-{table.id}-{row.id}".*?</tr>', text, re.DOTALL)
            assert found
            cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", found[0], re.DOTALL)]
            value, digits = row.value, row.headline.decimals
            rank = f"{row.first}–{row.last}"
            name = row.strategy + ("†" if row.strategy == "ammkd" else "") if row.strategy else row.name
            assert cells[:5] == [rank, str(row.group), name, f"{value.mean:.{digits}f} ± {value.half:.{digits}f}", row.teachers]
            assert cells[5] == ("1 one seed" if len(row.seeds) == 1 else str(len(row.seeds)))
            names = [f"{way}_retrieval_recall@{k}" for way in ("image", "text") for k in (1, 5, 10)] + ["rsum"]
            assert cells[6:13] == [f"{row.values[name].mean:.1f} ± {row.values[name].half:.1f}" for name in names]
            assert cells[13:18] == [
                "7.5" if row.first == 1 and row.last == 3 else f"{row.cost.train_seconds:,.0f}",
                "13",
                "3.4",
                "–",
                "untuned",
            ]
            title = f"rank {math.exp(value.mean):.1f}; 95 % interval {value.low:.{digits}f} to {value.high:.{digits}f}"
            assert f'data-order="{round(value.mean, 6)!r}" title="{title}"' in found[0]
            assert ("<strong>" in found[0]) == row.bold
            assert re.findall(r'href="runs/(\w+)\.html"', found[0]) == [run.record.run_id for run in row.runs]
        for row in table.references:
            assert text.index(f'id="row-{table.id}-{row.id}"') < text.index(f'id="row-{table.id}-{table.rows[0].id}"')


def test_a_run_page_holds_what_its_record_holds(site: Written, board: Board) -> None:
    for row in (board.tables[0].rows[0], board.tables[0].references[0]):
        for run in row.runs:
            record = run.record
            path = site.entry.parent / "runs" / f"{record.run_id}.html"
            page = Page(path)
            text = " ".join(page.texts.values())
            assert page.text("h1") == [record.spec.label]
            assert yaml.safe_load(page.text("pre")[0]) == spec_values(record.spec)
            for value in (
                record.run_id,
                record.cell_id,
                record.status,
                record.dataset_digest,
                record.arrays_sha256,
                record.licence,
                record.commit,
                record.host["id"],
                record.started,
                f"{record.metrics['rsum']:.2f}",
            ):
                assert str(value) in text
            assert all(f"{name} {version}" in text for name, version in record.versions.items())
            figures = [json.loads(text) for text in page.text("script", type="application/json")]
            trace = run.trace()
            assert bool(figures) == bool(trace.step)
            if trace.step:
                assert figures[0]["traces"][0]["y"] == trace.loss
                assert [drawn["y"] for drawn in figures[1]["traces"]] == list(trace.weights.values())


def test_a_strategy_has_a_page_of_what_is_known_and_of_its_rows(site: Written, board: Board) -> None:
    folder = site.entry.parent / "strategies"
    assert {path.stem for path in folder.iterdir()} == {slug("ammkd"), slug("equal")}
    page = Page(folder / f"{slug('ammkd')}.html")
    text = " ".join(page.texts.values())
    assert METHODS[0].formula in page.text("dd", **{"class": "formula"})
    assert {"href": "https://example.org/paper?a=1&b=2", "rel": "noopener noreferrer"} in page.all("a")
    assert "reconstruction: its source leaves something open" in text
    rows = [(table, row) for table in board.tables for row in table.rows if row.strategy == "ammkd"]
    strategy = rows[0][1].spec.strategy
    assert strategy is not None
    assert yaml.safe_load(page.text("pre")[0]) == strategy.params
    hrefs = [attributes.get("href") for attributes in page.all("a")]
    for table, row in rows:
        assert f"../index.html#row-{table.id}-{row.id}" in hrefs
        assert all(f"../runs/{run.record.run_id}.html" in hrefs for run in row.runs)
    assert "javascript" not in str(Page(folder / f"{slug('equal')}.html").all("a"))


def test_hostile_names_stay_text(hostile_site: Written) -> None:
    pages = _pages(hostile_site)
    index = pages[hostile_site.entry]
    for path, page in pages.items():
        assert not page.all("img")
        assert len(page.all("script")) == len(
            [s for s in page.all("script") if s.get("src") or s.get("type") == "application/json"]
        )
        for text in page.text("script", type="application/json"):
            json.loads(text)
        raw = path.read_text(encoding="utf-8")
        assert "<script>alert" not in raw
        assert "<img" not in raw
        # DataTables reads such attributes back as HTML, so they may hold figures alone.
        assert all(re.fullmatch(r"-?[\d.e+-]*", order) for order in re.findall(r'data-order="([^"]*)"', raw))
        assert "data-search" not in raw
    assert any(SCRIPT in text for text in index.text("a"))
    assert any(IMAGE in text for text in index.text("h2"))
    page = pages[hostile_site.entry.parent / "strategies" / f"{slug(SCRIPT)}.html"]
    assert page.text("h1") == [SCRIPT]
    assert "No installed plugin describes this strategy" in page.text("p")[0]
    run = pages[hostile_site.entry.parent / "runs" / f"{token(f'../{SCRIPT}0')}.html"]
    assert SCRIPT in run.text("h1")[0]
    assert yaml.safe_load(run.text("pre")[0])["variant"] == IMAGE
    assert {path.parent.name for path in hostile_site.entry.parent.parent.rglob("*.html")} == {"site", "runs", "strategies"}


def test_tables_that_share_an_id_keep_anchors_of_their_own(tmp_path: Path, board: Board) -> None:
    twice = Board(
        [board.tables[0], replace(board.tables[0], verdict=Verdict("equivalent", use=1, candidates=(0, 1), margin=3.0))], []
    )
    written = write_site(tmp_path / "site", twice, [], [], [])
    page = Page(written.entry)
    assert len(page.ids) == len(set(page.ids))
    assert page.text("p", **{"class": "verdict"}) == [table.sentence for table in twice.tables]


def test_teachers_alone_make_a_table_without_a_ranking(tmp_path: Path, board: Board) -> None:
    table = replace(board.tables[0], rows=[], missing=[], verdict=NO_STUDENT)
    page = Page(write_site(tmp_path / "site", Board([table], []), [], [], []).entry)
    assert not [attributes for attributes in page.all("table") if attributes.get("class") == "ranked"]
    assert {row.student for row in table.references} <= set(page.text("th"))
    assert not page.all("input")


def test_the_row_to_use_stands_out(board: Board, tmp_path: Path) -> None:
    table = board.tables[0]
    name = table.rows[0].name
    page = Page(write_site(tmp_path / "one", Board([table], []), [], [], []).entry)
    assert page.text("strong")[0] == f"Use {name}"
    page = Page(write_site(tmp_path / "none", Board([replace(table, verdict=NO_VERDICT)], []), [], [], []).entry)
    assert page.text("p")[0] == "No row of this table is usable."


def test_a_board_without_runs_says_so(tmp_path: Path) -> None:
    written = write_site(tmp_path / "site", Board([], ["a run failed"]), [], [], [])
    page = Page(written.entry)
    assert written.pages == 1
    assert page.text("p")[0].startswith("No finished runs")
    assert page.text("li") == ["a run failed"]


def test_a_trace_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> Trace:
        raise RecordError("x.trace.json: cannot be read")

    (run,) = measured_in("emoji")[:1]
    with pytest.raises(RecordError, match=r"x\.trace\.json"):
        write_site(tmp_path / "site", board_of([Measured(run.record, run.task, run.arrays, broken)]), [], [], [])
    assert list(tmp_path.iterdir()) == []


def test_figures_that_are_not_finite_are_gaps(tmp_path: Path) -> None:
    (run,) = [run for run in measured_in("emoji") if not run.record.spec.reference][:1]
    board = board_of([run])
    rows = board.tables[0].rows
    rows[0] = replace(rows[0], values=rows[0].values | {rows[0].headline.name: Value(math.nan, -math.inf, math.inf)})
    written = write_site(tmp_path / "site", board, [], [], [])
    page = Page(written.entry)
    (picture,) = [json.loads(text) for text in page.text("script", type="application/json")]
    assert picture["traces"][0]["x"] == [None]
    assert "nan" not in " ".join(page.text("td"))
