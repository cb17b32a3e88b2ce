"""What differences on a leaderboard mean: intervals, tests, ranks and tie groups, from records and their ranks alone."""

from kdbench.reports.board import Measured
from kdbench.statistics.analysis import Analysis, Standing
from kdbench.statistics.crossed import Estimate
from kdbench.statistics.explain import Explanation, explain
from kdbench.statistics.families import Family, families
from kdbench.statistics.power import Power, power

__all__ = [
    "Analysis",
    "Estimate",
    "Explanation",
    "Family",
    "Measured",
    "Power",
    "Standing",
    "explain",
    "families",
    "power",
]
