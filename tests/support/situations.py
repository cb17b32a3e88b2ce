"""Runs of regimes: tables of a variant each, in which strategies differ from equal weights as told."""

from __future__ import annotations

from collections.abc import Mapping

from kdbench.records.measured import Measured
from kdbench.suite.race import RaceDesign
from tests.support.rankings import row
from tests.support.toys import retrieval_spec

EQUAL = 3.0  # mean logarithm of a rank with equal weights


def regime(name: str, levels: Mapping[str, float], seeds: int = 4, race: RaceDesign | None = None) -> list[Measured]:
    """The runs of one regime: equal weights, and strategies whose logarithms of ranks are about these levels; `alone` and
    `none` are of one teacher and of no teacher."""
    teams = {"alone": ("a",), "none": ()}
    spec = {"variant": name, "regime": True, "task": retrieval_spec(1, 5, 10, primary="log_rank"), "race": race}
    return [
        run
        for draw, (label, level) in enumerate({"equal": EQUAL, **levels}.items())
        for run in row(label, level, range(seeds), draw=draw, team=teams.get(label, ("a", "b")), spec=spec)
    ]


def situations() -> list[Measured]:
    """Three regimes: nothing differs in `alike`; in `wrong` one strategy is far better and one far worse; in `mixed` the first
    is better again, the second as good as equal."""
    return [
        *regime("alike", {"good": 3.0, "bad": 3.0, "alone": 3.0}),
        *regime("wrong", {"good": 2.0, "bad": 4.0, "told": 1.8, "none": 4.0}),
        *regime("mixed", {"good": 2.2, "bad": 3.0, "alone": 2.2}),
    ]
