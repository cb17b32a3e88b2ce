"""When weighting matters: gains over equal weights, regime by regime, and what they advise."""

from kdbench.reports.regimes.advice import advice
from kdbench.reports.regimes.gains import Gain, Regime, maps, regimes
from kdbench.reports.regimes.plain import plain_maps

__all__ = ["Gain", "Regime", "advice", "maps", "plain_maps", "regimes"]
