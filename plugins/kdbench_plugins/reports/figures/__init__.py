"""Figures of a leaderboard: the headline metric against cost, teacher weights over training, the spread of seeds."""

from __future__ import annotations

from kdbench.contracts import Offer
from kdbench.contracts.hookspecs import hookimpl
from kdbench.contracts.report import Report


def figures() -> Report:
    """Writes PNG and SVG files; each also contains its data as text."""
    from kdbench_plugins.reports.figures.drawing import Figures

    return Figures()


@hookimpl
def kdbench_reports() -> list[Offer[Report]]:
    return [Offer("figures", figures, "figures as PNG and SVG: metric against cost, teacher weights, spread of seeds")]
