"""What differences on a leaderboard mean: intervals, tests, ranks and tie groups, from records and their ranks alone."""

from kdbench.leaderboard.board import Measured
from kdbench.leaderboard.statistics.analysis import Analysis, Standing
from kdbench.leaderboard.statistics.crossed import Estimate
from kdbench.leaderboard.statistics.explain import Explanation, explain
from kdbench.leaderboard.statistics.families import Family, families
from kdbench.leaderboard.statistics.power import Power, power

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
