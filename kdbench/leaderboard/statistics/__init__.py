"""What differences on a leaderboard mean: intervals, tests, ranks and tie groups, from records and their ranks alone."""

from kdbench.leaderboard.statistics.crossed import Estimate
from kdbench.leaderboard.statistics.explain import Explanation, explain
from kdbench.leaderboard.statistics.families import Family, Standing, families
from kdbench.leaderboard.statistics.measured import Measured, read_measured
from kdbench.leaderboard.statistics.power import Power, power

__all__ = [
    "Estimate",
    "Explanation",
    "Family",
    "Measured",
    "Power",
    "Standing",
    "explain",
    "families",
    "power",
    "read_measured",
]
