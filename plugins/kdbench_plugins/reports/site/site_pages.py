"""Writes a leaderboard as a folder of web pages that opens from a disk as well as from a server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.records.study_summary import StudySummary
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.site import columns
from kdbench.reports.site.assets import copy_assets
from kdbench.reports.site.environment import environment
from kdbench.reports.site.folder import replaced
from kdbench.reports.site.history import history_figure, importance_figure, trade_figure
from kdbench.reports.site.method import Method
from kdbench.reports.site.plane import STANDINGS, plane_figure
from kdbench.reports.site.provenance import commit, device, provenance, runs_of
from kdbench.reports.site.series import curves_of
from kdbench.reports.site.slug import token
from kdbench.reports.site.spec import readable
from kdbench.reports.site.spread import short_names, spread_figure
from kdbench.reports.site.strategies import StrategyPage, strategies
from kdbench.reports.site.studies import StudyPage, study_pages

if TYPE_CHECKING:
    from kdbench.reports.pareto import Plane
    from kdbench.reports.students import StudentsTable

ENTRY = "index.html"


@dataclass(frozen=True)
class Written:
    """A site: how many pages it has and which to open."""

    pages: int
    entry: Path


def write_site(
    folder: Path,
    board: Board,
    planes: Sequence[Plane],
    students: Sequence[StudentsTable],
    methods: Sequence[Method],
    studies: Sequence[StudySummary] = (),
) -> Written:
    """An index with all tables and plots, a page a run, a page a strategy in use, which `methods` tell of, and a page a study.

    `studies` are without a problem and each there once, as `read_studies` gives them.

    Written whole or not at all. A site that was in `folder` goes; raises KdbenchError where anything else is there, where
    it cannot be written, and where itables or plotly, which carry the scripts, are missing.
    """
    with replaced(folder) as partial:
        copy_assets(partial / "assets")
        found = study_pages(studies, [run.record for run in runs_of(board)])
        site = _Site(partial, board, strategies(board, methods), found)
        site.index(planes, students)
        site.methods()
        site.tuning()
        site.runs()
    return Written(site.pages, folder / ENTRY)


class _Site:
    def __init__(
        self, folder: Path, board: Board, strategies: Mapping[str, StrategyPage], studies: Sequence[StudyPage]
    ) -> None:
        self.folder, self.board, self.strategies, self.studies, self.pages = folder, board, strategies, studies, 0
        self.environment = environment()
        names = anchors(board.tables)
        self.environment.filters["anchor"] = lambda table: names[id(table)]
        self.environment.globals.update(columns=columns, short_names=short_names, standings=STANDINGS)

    def page(self, path: str, template: str, **values: Any) -> None:
        """Never written twice: two pages of one name would be a loss."""
        target = self.folder / path
        target.parent.mkdir(exist_ok=True)
        text = self.environment.get_template(template).render(root="../" if "/" in path else "", **values)
        with target.open("x", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        self.pages += 1

    def index(self, planes: Sequence[Plane], students: Sequence[StudentsTable]) -> None:
        self.page(
            ENTRY,
            "index.html",
            board=self.board,
            planes=[(plane, plane_figure(plane)) for plane in planes],
            spreads=[spread_figure(table) for table in self.board.tables],
            students=students,
            strategies=self.strategies,
            studies=self.studies,
            provenance=provenance(runs_of(self.board)),
        )

    def methods(self) -> None:
        for page in self.strategies.values():
            self.page(page.file, "strategy.html", page=page)

    def tuning(self) -> None:
        for page in self.studies:
            summary = page.summary
            self.page(
                page.file,
                "study.html",
                page=page,
                histories=[history_figure(summary, goal) for goal in range(len(summary.goals))],
                trades=[trade_figure(summary, goal) for goal in range(1, len(summary.goals))],
                importance=importance_figure(page.importance),
            )

    def runs(self) -> None:
        studies = {record.run_id: page for page in self.studies for record in page.runs}
        places: dict[str, list[tuple[Table, Row]]] = defaultdict(list)
        for table in self.board.tables:
            for row in [*table.references, *table.rows]:
                for run in row.runs:
                    places[run.record.run_id].append((table, row))
        for run in runs_of(self.board):
            record = run.record
            (_, row), *_ = found = places[record.run_id]
            self.page(
                f"runs/{token(record.run_id)}.html",
                "run.html",
                record=record,
                row=row,
                places=found,
                curves=curves_of(run.series()),
                spec=readable(record.spec),
                commit=commit(record),
                device=device(record),
                strategy=self.strategies.get(columns.use(row)),
                study=studies.get(record.run_id),
            )


def anchors(tables: Sequence[Table]) -> dict[int, str]:
    """What each table's parts are called within a page, by `id(table)`; tables that share their id are counted."""
    seen: Counter[str] = Counter()
    found = {}
    for table in tables:
        seen[table.id] += 1
        found[id(table)] = token(table.id) + (f"-{seen[table.id]}" if seen[table.id] > 1 else "")
    return found
