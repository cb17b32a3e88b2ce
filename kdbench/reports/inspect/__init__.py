"""What a strategy did in one run, from its record and its series: in the terminal, or as a picture."""

from kdbench.inspection.find import find_run
from kdbench.inspection.picture import draw
from kdbench.inspection.terminal import terminal

__all__ = ["draw", "find_run", "terminal"]
