"""Writes a leaderboard as a folder of web pages that works from disk and from a server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.contracts.report import Method, Reported, nothing_drawn
from kdbench.contracts.shown import Picture
from kdbench.records.study_summary import StudySummary
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.plots import cost_plane, regime_map, seed_spread
from kdbench.reports.plots.cost_plane import STANDINGS
from kdbench.reports.plots.labels import row_labels
from kdbench.reports.plots.trace_curves import trace_curves
from kdbench.reports.plots.trial_history import goals_against, parameter_importance, trial_history
from kdbench.reports.regimes import advice, maps
from kdbench_plugins.reports.site import page_columns
from kdbench_plugins.reports.site.assets import copy_assets
from kdbench_plugins.reports.site.environment import environment
from kdbench_plugins.reports.site.page_names import token
from kdbench_plugins.reports.site.plotly_painter import paint
from kdbench_plugins.reports.site.run_origins import commit, device, provenance, runs_of
from kdbench_plugins.reports.site.shared_legend import shared_legend
from kdbench_plugins.reports.site.site_folder import replaced
from kdbench_plugins.reports.site.spec_yaml import readable, spec_values
from kdbench_plugins.reports.site.strategy_pages import StrategyPage, strategy_pages
from kdbench_plugins.reports.site.study_pages import StudyPage, study_pages

if TYPE_CHECKING:
    from kdbench.records.measured import Measured
    from kdbench.reports.pareto import Plane
    from kdbench.reports.student_table import StudentsTable
    from kdbench.reports.summary import Summary

ENTRY = "index.html"
LONG = 120  # characters of a row's label; the page's script shortens labels further to fit the screen


class Site:
    """Writes a folder of pages; an older site in it is replaced."""

    def write(self, material: Reported, target: Path) -> list[Path]:
        """Its pages. See `write_site`."""
        from kdbench.reports.pareto import planes
        from kdbench.reports.student_table import students_table
        from kdbench.reports.summary import summaries

        found = planes(material.board, material.profiles)
        students = students_table(material.profiles)
        glance = summaries(material.board, material.profiles)
        written = write_site(
            target, material.board, found, students, material.methods, material.studies, glance, material.pictures
        )
        entry = written.entry
        return [entry, *sorted(page for page in target.rglob("*.html") if page != entry)]


@dataclass(frozen=True)
class Written:
    """A written site: the number of pages, and the one to open."""

    pages: int
    entry: Path


def write_site(
    folder: Path,
    board: Board,
    planes: Sequence[Plane],
    students: Sequence[StudentsTable],
    methods: Sequence[Method],
    studies: Sequence[StudySummary] = (),
    summaries: Sequence[Summary] = (),
    pictures: Callable[[Measured], Sequence[Picture]] = nothing_drawn,
) -> Written:
    """Writes an index with all tables and plots, and a page for each run, each strategy in use, and each study.

    `summaries` stand before the tables; `methods` describe strategies; `studies` are verified and unique, as `read_studies`
    returns them; `pictures` draws what pages of runs show.

    The folder is written whole or not at all, and replaces an older site. Raises KdbenchError if `folder` holds anything else,
    cannot be written, or if itables or plotly, which contain the scripts, are missing.
    """
    with replaced(folder) as partial:
        copy_assets(partial / "assets")
        found = study_pages(studies, [run.record for run in runs_of(board)])
        site = _Pages(partial, board, strategy_pages(board, methods), found)
        site.index(planes, students, summaries)
        site.methods()
        site.tuning()
        site.runs(pictures)
    return Written(site.count, folder / ENTRY)


class _Pages:
    def __init__(
        self, folder: Path, board: Board, strategies: Mapping[str, StrategyPage], studies: Sequence[StudyPage]
    ) -> None:
        self.folder, self.board, self.strategies, self.studies, self.count = folder, board, strategies, studies, 0
        self.environment = environment()
        names = anchors(board.tables)
        self.environment.filters["anchor"] = lambda table: names[id(table)]
        self.environment.globals.update(columns=page_columns, standings=STANDINGS)

    def page(self, path: str, template: str, **values: Any) -> None:
        """Writes a page. Raises an error for a second page of the same name, which would overwrite the first."""
        target = self.folder / path
        target.parent.mkdir(exist_ok=True)
        text = self.environment.get_template(template).render(root="../" if "/" in path else "", **values)
        with target.open("x", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        self.count += 1

    def index(self, planes: Sequence[Plane], students: Sequence[StudentsTable], summaries: Sequence[Summary]) -> None:
        plots = [cost_plane(plane) for plane in planes]
        spreads = [seed_spread(table, LONG) if table.rows else None for table in self.board.tables]
        self.page(
            ENTRY,
            "index.html",
            board=self.board,
            planes=[(plane, plot, paint(plot.panels[0])) for plane, plot in zip(planes, plots, strict=True)],
            spreads=[(plot, paint(plot.panels[0])) if plot else None for plot in spreads],
            students=students,
            summaries=summaries,
            strategies=self.strategies,
            studies=self.studies,
            maps=[(found, regime_map(found), advice(found)) for found in maps(self.board.regimes)],
            shared_legend=shared_legend,
            paint=paint,
            provenance=provenance(runs_of(self.board)),
            meanings=page_columns.meanings(self.board),
            row_labels=row_labels,
        )

    def methods(self) -> None:
        for page in self.strategies.values():
            self.page(page.file, "strategy.html", page=page)

    def tuning(self) -> None:
        for page in self.studies:
            summary, labels = page.summary, page.labels
            self.page(
                page.file,
                "study.html",
                page=page,
                histories=[paint(trial_history(summary, goal, labels)) for goal in range(len(summary.goals))],
                trades=[paint(goals_against(summary, goal, labels)) for goal in range(1, len(summary.goals))],
                importance=paint(parameter_importance(page.importance)),
            )

    def runs(self, pictures: Callable[[Measured], Sequence[Picture]]) -> None:
        studies = {record.run_id: page for page in self.studies for record in page.runs}
        places: dict[str, list[tuple[Table, Row]]] = defaultdict(list)
        for table in self.board.tables:
            for row in [*table.references, *table.rows]:
                for run in row.runs:
                    places[run.record.run_id].append((table, row))
        for run in runs_of(self.board):
            record = run.record
            (_, row), *_ = found = places[record.run_id]
            curves = trace_curves(run.trace())
            self.page(
                f"runs/{token(record.run_id)}.html",
                "run.html",
                record=record,
                metrics=run.task.metrics,
                row=row,
                places=found,
                curves=curves,
                plots=[(panel.title, paint(panel)) for panel in curves.panels] if curves else [],
                spec=readable(spec_values(record.spec)),
                commit=commit(record),
                device=device(record),
                strategy=self.strategies.get(page_columns.use(row)),
                study=studies.get(record.run_id),
                pictures=self.drawn(token(record.run_id), pictures(run)),
                queries=run.task.queries,
            )

    def drawn(self, run: str, pictures: Sequence[Picture]) -> list[tuple[str, Picture]]:
        """Writes the pictures of a run; returns each with its path."""
        found = []
        for number, picture in enumerate(pictures, 1):
            path = f"pictures/{run}-{number}.png"
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_bytes(picture.png)
            found.append((path, picture))
        return found


def anchors(tables: Sequence[Table]) -> dict[int, str]:
    """The anchors of each table's parts within a page, by `id(table)`; tables with equal ids are numbered."""
    seen: Counter[str] = Counter()
    found = {}
    for table in tables:
        seen[table.id] += 1
        found[id(table)] = token(table.id) + (f"-{seen[table.id]}" if seen[table.id] > 1 else "")
    return found
