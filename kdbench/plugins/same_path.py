"""Another process that finds the same modules: its plugins and their source are then those of this one."""

from __future__ import annotations

import os
import sys

_START = (
    "import runpy, sys; "
    "sys.path[:0] = [place for place in sys.argv[2:] if place not in sys.path]; "
    "module = sys.argv[1]; "
    "del sys.argv[1:]; "
    "runpy.run_module(module, run_name='__main__')"
)


def python_with_same_path(module: str) -> list[str]:
    """The command that runs a module in another Python process, which looks for modules where this one does.

    The working folder counts only where it does here, as in `python -m kdbench` and in notebooks: any file in it may bear the
    name of a module (-P). What PYTHONPATH names then, counts as well.
    """
    return [sys.executable, "-P", "-c", _START, module, *(os.path.abspath(place) for place in sys.path)]
