"""Patterns of names, such as `clip.visual.*`, of which a suite has a map."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def closest(name: str, patterns: Iterable[str]) -> str | None:
    """The longest pattern that fits a name, of equally long ones the first by alphabet; None if none does.

    `*`, `?` and `[…]` are those of file names. A suite's maps have no order: runs that differ in it alone are the same run.
    """
    return min((one for one in patterns if fnmatchcase(name, one)), key=lambda one: (-len(one), one), default=None)
