"""A plugin package of an author who edits it: written to a folder, imported, and imported again after an edit."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

from kdbench.runs.context import RunContext
from kdbench.storage.cache import Cache
from kdbench.storage.code_digest import forget_code
from tests.support.toys import toy_plugins

NUMBERS = count()
HEAD = """
import numpy as np
import torch
from kdbench import KdbenchError, Offer, hookimpl
from tests.support.toys import Beads, Projection, Sage
"""


class Authored:
    """The package; `context` gives what a new process would have after the latest edit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"mine{next(NUMBERS)}"
        sys.path.insert(0, str(root))

    def write(self, code: str, **others: str) -> None:
        """Writes the module with the hooks, and other modules of the package by name."""
        folder = self.root / self.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in {"__init__": HEAD + dedent(code), **others}.items():
            (folder / f"{name}.py").write_text(text)

    def context(self, folder: Path, **extra: Sequence[Any]) -> RunContext:
        """A fresh import of the package beside the toys, with the cache and results of `folder`."""
        for module in [name for name in sys.modules if name.partition(".")[0] == self.name]:
            del sys.modules[module]
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True  # two edits within a second have one time
        forget_code()
        plugins = toy_plugins(**extra)
        plugins.register(importlib.import_module(self.name), f"kdbench-{self.name}:{self.name}")
        return replace(RunContext(plugins, Cache(folder / "cache"), folder / "results"))
