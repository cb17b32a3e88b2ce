"""The answer to "which strategy should I use", in one sentence that claims no more than the table shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdbench.reports.board import Row

BASELINE = "equal"  # the weighting that every other has to beat; suites and papers call it so
NAMED = 4  # rows, before the rest are counted


def verdict(rows: Sequence[Row], better: NDArray[np.bool_]) -> str:
    """`rows` best RSUM first, `better` [R, R] whether row i is surely better than row j.

    Of the rows that nothing is surely better than, the one to use is the cheapest: it needs fewest teachers, and of those no
    weighting, or equal weights, or the highest mean. What else is surely better than equal weights of the same teachers is
    named.
    """
    if not rows:
        return "No row of this table can be relied on."
    if len(rows) == 1:
        return f"There is only {rows[0].name}: with nothing beside it, nothing can be said."
    best = [place for place in range(len(rows)) if not better[:, place].any()]
    use = min(best, key=lambda place: (len(rows[place].team), _weighting(rows[place]), place))
    chosen = rows[use]
    if len(best) == 1:
        return f"Use {chosen.name}: it is surely better than every other row."
    if len(best) == len(rows):
        return f"Use the cheapest, {chosen.name}: of {len(rows)} rows none is surely better than another."
    beaten = [_short(rows[place], rows) for place in range(len(rows)) if better[use, place]]
    text = f"Use {chosen.name}: nothing is surely better, and it is the cheapest of {len(best)} rows that may be first"
    text += f"; it is surely better than {_listed(beaten)}" if beaten else ""
    gains = _gains(rows, better, use)
    return f"{text}; {gains}." if gains else f"{text}."


def _short(row: Row, rows: Sequence[Row]) -> str:
    """Its strategy, where that names it."""
    same = [one for one in rows if one.strategy == row.strategy and one.variant == row.variant]
    return row.strategy if row.strategy and len(same) == 1 and not row.variant else row.name


def _weighting(row: Row) -> int:
    """None, equal, any other."""
    if not row.strategy:
        return 0
    return 1 if is_baseline(row) else 2


def is_baseline(row: Row) -> bool:
    return bool(row.spec["strategy"]) and row.spec["strategy"]["use"] == BASELINE


def _gains(rows: Sequence[Row], better: NDArray[np.bool_], use: int) -> str:
    """Which weightings are surely better than equal weights of the same team, where such a team is not the choice."""
    found = []
    for base, row in enumerate(rows):
        if is_baseline(row) and base != use:
            above = np.flatnonzero(better[:, base]).tolist()
            found += [rows[place].strategy for place in above if rows[place].team == row.team]
    names = list(dict.fromkeys(found))
    if names:
        return f"of the weightings, {_listed(names)} {'is' if len(names) == 1 else 'are'} surely better than {BASELINE}"
    others = any(_weighting(row) == 2 for row in rows) and not is_baseline(rows[use])
    return f"no weighting is surely better than {BASELINE}" if others else ""


def _listed(names: Sequence[str]) -> str:
    shown = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
