"""Strategies in use, with all rows of theirs: one page each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from kdbench.reports.board import Board, Row, Table
from kdbench.reports.site.columns import use
from kdbench.reports.site.method import Method
from kdbench.reports.site.slug import slug
from kdbench.reports.site.spec import readable


@dataclass
class StrategyPage:
    """`method` is None where no plugin tells of it. `parameters` are YAML by label, each way they were set once."""

    name: str
    method: Method | None
    rows: list[tuple[Table, Row]] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)

    @property
    def file(self) -> str:
        return f"strategies/{slug(self.name)}.html"


def strategies(board: Board, methods: Sequence[Method]) -> dict[str, StrategyPage]:
    """By what suites write after `use:`, in the order of the tables."""
    known = {method.name: method for method in methods}
    pages: dict[str, StrategyPage] = {}
    for table in board.tables:
        for row in table.rows:
            name = use(row)
            if name:
                page = pages.setdefault(name, StrategyPage(name, known.get(name)))
                page.rows.append((table, row))
    for page in pages.values():
        found = {json.dumps([row.strategy, row.spec["strategy"].get("params", {})]) for _, row in page.rows}
        page.parameters = [(label, readable(params) if params else "none") for label, params in map(json.loads, sorted(found))]
    return pages
