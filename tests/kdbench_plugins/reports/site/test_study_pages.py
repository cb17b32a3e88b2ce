"""Pages of studies, and the runs that they tuned."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from kdbench.records.study_summary import StudySummary
from kdbench.reports.board import Board
from kdbench.suite.spec import RunSpec
from kdbench_plugins.reports.site.site_pages import Written, write_site
from kdbench_plugins.reports.site.study_pages import study_pages
from tests.kdbench_plugins.reports.site.test_site_pages import Page
from tests.support.site_boards import IMAGE, METHODS, SCRIPT, board_of, changed, measured_in, of_record
from tests.support.site_studies import BEST, BUDGET, cell, hostile_study, study, traded, tuned_spec


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Untuned runs, two tuned ones of the study's cell, two studies."""
    tuned = [
        of_record(changed(one, dict(tuned_spec(one)), run_id=f"{place:012x}", cell_id="c" * 12))
        for place, one in enumerate(cell()[:2])
    ]
    board = board_of([*measured_in("emoji"), *tuned])
    return write_site(tmp_path_factory.mktemp("tuned") / "site", board, [], [], METHODS, [traded(), study()])


def _rows(text: str, table: str) -> list[list[str]]:
    """Texts of a table's cells."""
    (body,) = re.findall(rf'id="{table}".*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [[" ".join(re.sub(r"<[^>]+>", "", c).split()) for c in re.findall(r"<t[dh].*?</t[dh]>", r, re.DOTALL)] for r in rows]


def _page(site: Written, name: str) -> Path:
    (path,) = (site.entry.parent / "tuning").glob(f"emoji-{name}*.html")
    return path


def test_the_index_lists_studies_with_what_they_found(site: Written) -> None:
    rows = _rows(site.entry.read_text(encoding="utf-8"), "studies")
    states = "7 4 complete, 1 pruned, 1 diverged, 1 failed"
    best = "train.lr 0.004, strategy.C 0.75, objective[0].coefficient 2"
    assert rows == [
        ["ammkd", "emoji", "resnet-48px", "lite0 + lite2", states, "40.25 mean recall", best],
        ["ammkd", "emoji", "resnet-48px", "lite0 + lite2", "4 3 complete, 1 failed", "2 in the Pareto set", "–"],
    ]
    links = [str(a["href"]) for a in Page(site.entry).all("a") if str(a["href"]).startswith("tuning/")]
    assert [site.entry.parent / link for link in links] == [_page(site, "resnet"), _page(site, "traded")]
    assert site.pages == len(list(site.entry.parent.rglob("*.html")))


def test_without_studies_there_is_nothing_of_tuning(tmp_path: Path) -> None:
    written = write_site(tmp_path / "site", board_of(measured_in("emoji")[:3]), [], [], [])
    assert 'id="tuning"' not in written.entry.read_text(encoding="utf-8")
    assert not (tmp_path / "site/tuning").exists()


def test_studies_without_any_run_are_shown(tmp_path: Path) -> None:
    written = write_site(tmp_path / "site", Board([], []), [], [], [], [study()])
    assert written.pages == 2
    assert "#tuning" in [a["href"] for a in Page(written.entry).all("a")]


def test_a_page_holds_all_trials_and_what_mattered(site: Written) -> None:
    text = _page(site, "resnet").read_text(encoding="utf-8")
    rows = _rows(text, "trials-table")
    assert [row[0] for row in rows] == ["0", "1", "2 best", "3", "4", "5", "6"]
    assert rows[1] == ["1", "pruned", "–", "0.002", "0.7", "1", "1", "–", "2.5", "after epoch 1"]
    assert rows[2] == ["2 best", "complete", "40.25", "0.004", "0.75", "2", "2", "1", "2.5", "–"]
    assert "Best is trial 2: mean recall 40.25 on validation, after epoch 1" in text
    page = Page(_page(site, "resnet"))
    headers = [text.strip() for text in page.text("th", scope="col")]
    assert headers[-10:-4] == ["Trial", "State", "mean recall ↑", *BEST]
    figures = [json.loads(text) for text in page.text("script", type="application/json")]
    assert len(figures) == 2
    assert figures[1]["layout"]["yaxis"]["ticktext"] == ["train.lr", "strategy.C", "objective[0].coefficient"]
    assert [row for row in page.text("td") if row in ("62.5", "25.0", "12.5")] == ["62.5", "25.0", "12.5"]


def test_of_several_goals_the_pareto_set_is_shown(site: Written) -> None:
    page = Page(_page(site, "traded"))
    assert "2 of 4 trials are in the Pareto set" in page.text("p")[0]
    assert page.text("h3") == ["mean recall ↑", "latency ↓", "parameters ↓"]
    assert [p["id"] for p in page.all("div") if p.get("class") == "plot"] == [
        *("trade-1", "trade-2"),
        *("history-1", "history-2", "history-3"),
    ]
    raw = _page(site, "traded").read_text(encoding="utf-8")
    assert _rows(raw, "pareto-table") == [
        ["2", "40.00", "3.000", "2,500,000", "train.lr 0.003, strategy.C 0.7, objective[0].coefficient 1"],
        ["0", "30.00", "1.500", "1,000,000", "train.lr 0.001, strategy.C 0.7, objective[0].coefficient 1"],
    ]
    assert [row[0] for row in _rows(raw, "trials-table")] == ["0 Pareto", "1", "2 Pareto", "3"]
    assert "Unknown" in " ".join(page.text("p"))


def test_tuned_runs_and_their_study_lead_to_each_other(site: Written) -> None:
    folder = site.entry.parent
    linking = {path.stem for path in (folder / "runs").iterdir() if "../tuning/" in path.read_text(encoding="utf-8")}
    assert linking == {f"{place:012x}" for place in range(2)}
    path = _page(site, "resnet")
    hrefs = [str(a["href"]) for a in Page(path).all("a")]
    assert {Path(unquote(href)).stem for href in hrefs if href.startswith("../runs/")} == linking
    for run in linking:
        targets = [str(a["href"]) for a in Page(folder / "runs" / f"{run}.html").all("a")]
        assert f"../tuning/{path.name}" in targets
    assert "../runs/" not in _page(site, "traded").read_text(encoding="utf-8")


def test_only_the_one_study_that_can_have_found_a_runs_parameters_is_linked() -> None:
    first, *_ = cell()

    def linked(spec: RunSpec, *studies: StudySummary) -> bool:
        return any(page.runs for page in study_pages([study(), *studies], [changed(first, dict(spec))]))

    spec = tuned_spec(first)
    assert linked(spec)
    assert linked(spec.replace(seed=7))
    assert linked(tuned_spec(first, checkpoint_every=3, devices=2))
    assert not linked(spec.replace(tuning=None))
    assert not linked(spec.replace(tuning=BUDGET.replace(trials=8)))
    assert not linked(spec.replace(suite="another"))
    assert not linked(tuned_spec(first, lr=0.005))
    assert not linked(tuned_spec(first, epochs=99))
    assert not linked(spec, study(study="the-same-found-by-another"))


def test_hostile_studies_stay_text(tmp_path: Path) -> None:
    written = write_site(tmp_path / "site", Board([], []), [], [], [], [hostile_study()])
    paths = [written.entry, *(tmp_path / "site/tuning").iterdir()]
    assert len(paths) == written.pages == 2
    for path in paths:
        page, raw = Page(path), path.read_text(encoding="utf-8")
        assert not page.all("img")
        assert "<script>alert" not in raw
        assert all(re.fullmatch(r"-?[\d.e+-]*", order) for order in re.findall(r'data-order="([^"]*)"', raw))
        for text in page.text("script", type="application/json"):
            assert SCRIPT not in text
            json.loads(text)
    assert page.text("h1") == [f"Tuning of {SCRIPT}"]
    assert IMAGE in page.text("th", scope="col")
