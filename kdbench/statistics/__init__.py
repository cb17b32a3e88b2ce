"""What differences on a leaderboard mean: intervals, tests, possible ranks and tie groups, from contributions of any task."""

from kdbench.statistics.analysis import Analysis, RankedRow
from kdbench.statistics.crossed import Estimate
from kdbench.statistics.explain import Explanation, explain
from kdbench.statistics.families import Family, families
from kdbench.statistics.power import Power, power
from kdbench.statistics.value import Value

__all__ = [
    "Analysis",
    "Estimate",
    "Explanation",
    "Family",
    "Power",
    "RankedRow",
    "Value",
    "explain",
    "families",
    "power",
]
