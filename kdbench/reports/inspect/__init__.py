"""What a strategy did in one run, from its record and its series: in the terminal, or as a picture."""

from kdbench.reports.inspect.find import find_run
from kdbench.reports.inspect.picture import draw
from kdbench.reports.inspect.terminal import terminal

__all__ = ["draw", "find_run", "terminal"]
