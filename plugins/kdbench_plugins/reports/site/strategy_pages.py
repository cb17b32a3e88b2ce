"""The strategies in use, with all their rows: one page each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from kdbench.contracts.report import Method
from kdbench.reports.board import Board, Row, Table
from kdbench_plugins.reports.site.page_columns import use
from kdbench_plugins.reports.site.page_names import slug
from kdbench_plugins.reports.site.spec_yaml import readable


@dataclass
class StrategyPage:
    """A strategy in use.

    `method` is None if no installed plugin describes it. `parameters` maps labels to YAML, each setting once.
    """

    name: str
    method: Method | None
    rows: list[tuple[Table, Row]] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The path of its page within the site."""
        return f"strategies/{slug(self.name)}.html"


def strategy_pages(board: Board, methods: Sequence[Method]) -> dict[str, StrategyPage]:
    """Strategies by their name after `use:`, in the order of the tables."""
    known = {method.name: method for method in methods}
    pages: dict[str, StrategyPage] = {}
    for table in board.tables:
        for row in table.rows:
            name = use(row)
            if name:
                page = pages.setdefault(name, StrategyPage(name, known.get(name)))
                page.rows.append((table, row))
    for page in pages.values():
        found = {json.dumps([row.strategy, row.spec.strategy.params]) for _, row in page.rows if row.spec.strategy}
        page.parameters = [(label, readable(params) if params else "none") for label, params in map(json.loads, sorted(found))]
    return pages
