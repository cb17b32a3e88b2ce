"""Rows by what a person calls them."""

from __future__ import annotations

from collections.abc import Callable

from kdbench.errors import KdbenchError, nearest
from kdbench.reports.board import Board, Row, Table


def find_pair(board: Board, a: str, b: str) -> tuple[Row, Row]:
    """Two rows, of one table if there is such a pair.

    A row is called by its name (`ammkd of lite0 + lite2`), its strategy or its only teacher, each also after its variant or
    regime (`alike: ammkd`) and after its student (`resnet-24px: ammkd`), or by the id of one of its runs or of the row, or the
    beginning of one. References count too.
    Raises KdbenchError if none or several fit, and lists those there are.
    """
    everyone = [row for table in board.tables for row in _rows(table)]
    found = [_meant(name, everyone) for name in (a, b)]
    for name, rows in zip((a, b), found, strict=True):
        if not rows:
            names = {name for row in everyone for name in (row.name, *_short(row))}
            names |= {called for row in everyone for called in _of_student(row)} if ":" in name else set()
            raise KdbenchError(f"no row is called {name!r}; {nearest(name, names) or 'there are no finished runs'}")
    pairs = [(one, other) for table in board.tables for one in _of(table, found[0]) for other in _of(table, found[1])]
    pairs = [pair for pair in pairs if pair[0].id != pair[1].id] or [(one, other) for one in found[0] for other in found[1]]
    distinct = list({frozenset((one.id, other.id)): (one, other) for one, other in pairs if one.id != other.id}.values())
    if not distinct:
        raise KdbenchError(f"{a!r} and {b!r} are the same row, {pairs[0][0].name}")
    if len(distinct) > 1:
        budgets = {row.id: f"{table.budget}, {table.tuning}" for table in board.tables for row in table.rows}
        several = [
            " · ".join([f"{row.id}  {row.student}", _in_regime(row), *([budgets[row.id]] if row.id in budgets else [])])
            for row in {row.id: row for pair in distinct for row in pair}.values()
        ]
        alone = [name for pair in distinct for row in pair for name in _names(row) if _meant(name, everyone) == [row]]
        hint = f", or in full, as in {alone[0]!r}" if alone else ""
        raise KdbenchError("\n  ".join([f"{a!r} and {b!r} may be any of these; name them by their ids{hint}:", *several]))
    return distinct[0]


def pair_names(board: Board, one: Row, other: Row) -> tuple[str, str]:
    """What a person calls two rows of a board: the shortest names by which `find_pair` finds them; with ids if none does."""
    for names in zip(_names(one), _names(other), strict=True):
        try:
            found = find_pair(board, *names)
        except KdbenchError:
            continue
        if names[0] != names[1] and [row.id for row in found] == [one.id, other.id]:
            return names
    return f"{_in_regime(one)} ({one.id})", f"{_in_regime(other)} ({other.id})"


def _names(row: Row) -> tuple[str, str]:
    """Its name, after its regime, and that after its student's; that of a teacher itself needs no student."""
    return _in_regime(row), _in_regime(row) if row.reference else _of_student(row)[0]


def _meant(name: str, rows: list[Row]) -> list[Row]:
    """By the first of these that any row has: an id, its name, with or without settings, its strategy or teachers, any
    of these after its student, the beginning of an id."""
    wanted = _plain(name)
    fits: tuple[Callable[[Row], bool], ...] = (
        lambda row: wanted in _ids(row),
        lambda row: wanted == _plain(row.name),
        lambda row: wanted in (_plain(row.label), _plain(_in_regime(row))),
        lambda row: wanted in map(_plain, _short(row)),
        lambda row: wanted in map(_plain, _of_student(row)),
        lambda row: len(wanted) >= 4 and any(id.startswith(wanted) for id in _ids(row)),
    )
    for fit in fits:
        found = list({row.id: row for row in rows if fit(row)}.values())
        if found:
            return found
    return []


def _plain(name: str) -> str:
    """Without case and spaces: a team is `lite0 + lite2` in tables and `lite0+lite2` in labels."""
    return "".join(name.casefold().split())


def _in_regime(row: Row) -> str:
    """Its name, after that of its regime: a variant's is part of it anyway."""
    return f"{row.variant}: {row.name}" if row.spec.regime and row.variant else row.name


def _of_student(row: Row) -> list[str]:
    """Its names after that of its student."""
    return [f"{row.student}: {name}" for name in (_in_regime(row), row.label, *_short(row))]


def _short(row: Row) -> list[str]:
    """Its strategy, else its teacher, alone and after its variant or regime."""
    if row.reference:
        return []
    name = row.strategy or row.teachers
    return [name, *([f"{row.variant}: {name}"] if row.variant else [])]


def _ids(row: Row) -> list[str]:
    """Those of the row and its runs."""
    return [row.id, *(run.record.run_id for run in row.runs)]


def _rows(table: Table) -> list[Row]:
    return [*table.rows, *table.references]


def _of(table: Table, rows: list[Row]) -> list[Row]:
    ids = {row.id for row in _rows(table)}
    return [row for row in rows if row.id in ids]
