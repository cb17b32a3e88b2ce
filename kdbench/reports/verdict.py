"""Which strategy to use: decided from the tests as structured values, rendered to a sentence last.

The sentence claims no more than the table shows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import counted
from kdbench.statistics.deciding import what_would_decide

if TYPE_CHECKING:
    from kdbench.reports.board import Row

Flags = NDArray[np.bool_]

BASELINE = "equal"  # the strategy that every other has to beat
ORACLE = "told"  # in suites with regimes, the label of weights from somebody who knows the teachers: nobody can use them
NAMED = 4  # rows, before the rest are counted
Case = Literal["no student", "no row", "one row", "untested", "winner", "equivalent", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Rows are given by their index in the table.

    `candidates` are the rows that no row is significantly better than. `use` is the row to use: the only candidate (`winner`),
    or the cheapest of several that are `equivalent` to the best within `margin`. It is None where there is nothing to choose
    from, or where a candidate is neither worse than the best row nor equivalent to it (`undecided`); about `more_seeds` more
    would then decide (see `deciding.more_seeds`). A race that has ended without having decided, at `ended_at` seeds, goes on
    only if `lacking` candidates get their figures. Before the first look of a race, at `more_seeds`, nothing is tested
    (`untested`). `beaten` are the rows that the best one, or the one to use, is significantly better than. `gains` are other
    weightings that are significantly better than equal weights of the same teachers in the same variant; `no_gain` says that
    there are other weightings but none of them is.
    """

    case: Case
    use: int | None = None
    candidates: tuple[int, ...] = ()
    beaten: tuple[int, ...] = ()
    gains: tuple[int, ...] = ()
    no_gain: bool = False
    margin: float = 0.0  # 0: none is stated
    more_seeds: float | None = None
    ended_at: int | None = None
    lacking: tuple[int, ...] = ()


NO_VERDICT = Verdict("no row")
NO_STUDENT = Verdict("no student")


def verdict(
    rows: Sequence[Row],
    better: Flags,
    alike: Flags,
    margin: float = 0.0,
    more_seeds: float | None = None,
    ended_at: int | None = None,
    lacking: Collection[int] = (),
) -> Verdict:
    """`rows` best first; `better` [R, R] whether row i is significantly better than row j, `alike` whether they are equivalent;
    `ended_at` the most seeds of a race in which no row goes on, and `lacking` those that stopped there for want of figures.

    Of equivalent candidates the cheapest is used: the one with the fewest teachers, and of those the one without a weighting,
    then equal weights, then the best mean.
    """
    if not rows:
        return NO_VERDICT
    if len(rows) == 1:
        return Verdict("one row", use=0, candidates=(0,))
    candidates = tuple(index for index in range(len(rows)) if not better[:, index].any())
    best = candidates[0]
    alike_to_best = all(alike[best, index] for index in candidates[1:])
    case: Case = "winner" if len(candidates) == 1 else "equivalent" if alike_to_best else "undecided"
    shown = best
    if case == "equivalent":
        shown = cheapest(rows, candidates)
    beaten = tuple(np.flatnonzero(better[shown]).tolist())
    gains = _gains(rows, better, shown)
    others = any(_weighting(row) == 2 for row in rows) and not is_baseline(rows[shown])
    found = Verdict(case, shown, candidates, beaten, gains, others and not gains, margin)
    if case != "undecided":
        return found
    of_them = tuple(index for index in candidates if index in lacking)
    return replace(found, use=None, more_seeds=more_seeds, ended_at=ended_at, lacking=of_them)


def cheapest(rows: Sequence[Row], candidates: Sequence[int]) -> int:
    """The candidate with the fewest teachers, of those the one without a weighting, then equal weights, then the best mean."""
    return min(candidates, key=lambda index: (len(rows[index].team), _weighting(rows[index]), index))


def untested(first_look: int) -> Verdict:
    """That of a race before its first look, at this number of seeds."""
    return Verdict("untested", more_seeds=first_look)


def in_words(found: Verdict, rows: Sequence[Row]) -> tuple[str, str]:
    """The verdict as a sentence in two parts: which row to use (empty if there is no choice), and the rest.

    `rows` are those it was made of.
    """
    if found.case == "no student":
        return "", "No student has been trained here yet; these are the teachers themselves."
    if found.case == "untested":
        return "", f"Not tested yet: the first look of the race is at {counted(int(found.more_seeds or 0), 'seed')}."
    if found.case == "no row":
        return "", "No row of this table is usable."
    names = [_short(rows[index], rows) for index in found.candidates]
    within = f"equivalent within {found.margin:g} {rows[0].headline.label}"
    if found.use is None:
        two = len(names) == 2
        every = "both rows" if two else f"all {len(rows)} rows"
        which = every if len(names) == len(rows) else f"{len(names)} of {len(rows)} rows"
        none = "neither is significantly better than the other" if two else "none is significantly better than the others"
        lead, text = "Undecided", f" between {which}: {none}"
        text += f", nor are {'they' if two else 'all'} {within}" if found.margin else ""
        lacking = [_short(rows[index], rows) for index in found.lacking]
        waits = f"a run of {listed(lacking)} has no figures; once it has, the race goes on" if lacking else ""
        text += f"; {waits or what_would_decide(found.more_seeds, found.ended_at, len(names) - 1)}"
        subject = f"the best mean, that of {names[0]},"
    else:
        name = rows[found.use].name
        if found.case == "one row":
            return "", f"{name} is the only row: there is nothing to compare it with."
        if found.case == "winner":
            return f"Use {name}", ": it is significantly better than every other row."
        lead, text = f"Use {name}", f": it is the cheapest of {len(names)} rows that are {within}, and no row is better"
        subject = "it"
    if found.beaten:
        text += f"; {subject} is significantly better than {listed([_short(rows[index], rows) for index in found.beaten])}"
    if found.gains:
        names = list(dict.fromkeys(rows[index].strategy for index in found.gains))
        verb = "is" if len(names) == 1 else "are"
        text += f"; of the weightings, {listed(names)} {verb} significantly better than {BASELINE}"
    return lead, text + (f"; no weighting is significantly better than {BASELINE}." if found.no_gain else ".")


def is_baseline(row: Row) -> bool:
    """Whether its teachers have equal weights."""
    return row.spec.strategy is not None and row.spec.strategy.use == BASELINE


def is_oracle(row: Row) -> bool:
    """Whether its weights are set by somebody who knows the teachers of its regime."""
    return bool(row.regime) and row.strategy == ORACLE


def _short(row: Row, rows: Sequence[Row]) -> str:
    """Its strategy, if that identifies it."""
    same = [one for one in rows if one.strategy == row.strategy and one.variant == row.variant]
    return row.strategy if row.strategy and len(same) == 1 and (row.regime or not row.variant) else row.name


def _weighting(row: Row) -> int:
    """0 for none, 1 for equal weights, 2 for any other."""
    if not row.strategy:
        return 0
    return 1 if is_baseline(row) else 2


def _gains(rows: Sequence[Row], better: Flags, use: int) -> tuple[int, ...]:
    """Rows significantly better than equal weights of the same team in the same variant, unless those are the row to use."""
    found: dict[int, None] = {}
    for base, row in enumerate(rows):
        if is_baseline(row) and base != use:
            ahead = np.flatnonzero(better[:, base]).tolist()
            found |= dict.fromkeys(one for one in ahead if (rows[one].team, rows[one].variant) == (row.team, row.variant))
    return tuple(found)


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; of more than four the rest are counted."""
    shown = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
