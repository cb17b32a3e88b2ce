"""What a strategy did in one run, from its record and its trace: in the terminal, or as a figure."""

from kdbench.reports.inspect.figure import draw
from kdbench.reports.inspect.find_run import find_run
from kdbench.reports.inspect.terminal import terminal

__all__ = ["draw", "find_run", "terminal"]
