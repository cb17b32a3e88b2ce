"""Answers about files on disk, kept for the process as long as the files and the folders that they lie in stay as they are.

A dataset names the files that it reads by parsing tables of a hundred thousand rows; each run asks it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from kdbench.storage.content_digest import SETTLED_NS, state_of
from kdbench.storage.digest import digest_of

_kept: dict[tuple[Hashable, str], tuple[str, list[Path]]] = {}  # by question: the state of the files and folders; the answer


def kept_answer(question: Hashable, ask: Callable[[], Iterable[Path]]) -> list[Path]:
    """The answer to a question, in this working folder and environment. Raises what `ask` raises.

    A file that is added or removed changes the time of its folder, a new folder that of the one around it. What is added to
    another folder than those between the answer's files and the one that holds all is seen by the next process.
    """
    key = question, digest_of([os.getcwd(), sorted(os.environ.items())])
    kept = _kept.get(key)
    if kept is not None and _state(kept[1])[0] == kept[0]:
        return list(kept[1])
    started = time.time_ns()
    answer = list(ask())
    state, changed = _state(answer)
    if answer and changed < started - SETTLED_NS:  # without files, nothing would show a change
        _kept[key] = state, answer
    return list(answer)


def _state(files: list[Path]) -> tuple[str, int]:
    """A digest of the states of the files and of the folders between them and the one that holds all, and the latest time."""
    paths = [os.path.abspath(file) for file in files]
    top = os.path.commonpath(paths) if paths else ""
    folders = {folder for path in set(map(os.path.dirname, paths)) for folder in (path, *map(str, Path(path).parents))}
    looked_at = [*paths, *sorted(folder for folder in folders if folder.startswith(top))]
    states = [state_of(Path(path)) for path in looked_at]
    latest = max((moment for state in states if state for moment in state[1:3]), default=0)
    return digest_of(list(zip(looked_at, states, strict=True))), latest
