"""The page of a board whose headline is better the lower it is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from kdbench.reports.board import Board
from kdbench.reports.pareto import planes
from kdbench.reports.verdict import Verdict
from kdbench_plugins.reports.site.site_pages import write_site
from tests.kdbench_plugins.reports.site.test_site_pages import Page
from tests.support.made_boards import ERROR, profile, row, student, table


def test_a_task_where_less_is_better_is_ranked_sorted_and_labelled_so(tmp_path: Path) -> None:
    rows = [
        replace(row("ammkd", 1.25, half=0.05, group=1, metric=ERROR), first=1, last=1, bold=True),
        replace(row("equal", 2.5, half=0.25, group=2, metric=ERROR), first=2, last=2),
    ]
    teacher = row("", 0.5, half=0.01, of=student("big"), team=(), reference=True, metric=ERROR)
    made = table(*rows, references=[teacher], better=[(0, 1)], verdict=Verdict("winner", use=0, candidates=(0,), beaten=(1,)))
    made_board = Board([made], [])
    found = planes(made_board, [profile(rows[0].spec.student, {1: 1.0}, {1: 1.0})])
    written = write_site(tmp_path / "site", made_board, found, [], [])
    page, raw = Page(written.entry), written.entry.read_text(encoding="utf-8")
    (head,) = (attributes for attributes in page.all("th") if attributes.get("data-first"))
    assert (head["data-first"], head["title"]) == ("asc", "lower is better")
    assert next(text for text in page.text("th", scope="col") if text.startswith("RMSE")) == "RMSE ↓"
    assert "Tables rank by RMSE (lower is better)." in " ".join(page.text("p"))
    assert "In K, lower is better." in page.text("dd")
    names = [re.sub(r"<[^>]+>", "", name) for name in re.findall(r'<th scope="row">(.*?)</th>', raw)]
    assert names[:3] == ["big", "ammkd", "equal"]
    assert '1.25</strong> <span class="half">± 0.05' in raw
    figures = [json.loads(text) for text in page.text("script", type="application/json")]
    assert {figure["layout"][axis].get("title") for figure in figures for axis in ("xaxis", "yaxis")} >= {
        "RMSE (K), lower is better",
        "RMSE (K), lower is better, not from 0",
    }
    plots = [str(attributes["aria-label"]) for attributes in page.all("div") if attributes.get("class") == "plot"]
    assert all("RMSE (lower is better)" in alt for alt in plots)
    run = Page(tmp_path / "site" / "runs" / f"{rows[0].runs[0].record.run_id}.html")
    assert "RMSE (K), lower is better" in run.text("th", scope="row")
