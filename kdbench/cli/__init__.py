"""The command line: thin verbs over the Python API. Nothing here imports torch, and pydantic only where a suite is read."""

# In the order in which --help lists their commands.
from kdbench.cli import run, suites, sweep, leaderboard, compare, gallery  # noqa: F401, I001
from kdbench.cli import attribute, models, publish, data, new, authors, cache, info  # noqa: F401
from kdbench.cli.common import app, main

__all__ = ["app", "main"]
