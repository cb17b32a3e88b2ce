"""Tab completion of arguments and options. Each function returns what may stand in place of an incomplete word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdbench.plugins.loading import Kind

Completions = list[tuple[str, str]]  # each with its help


def suite_names(incomplete: str) -> Completions:
    """Suite files in this folder and under suites/, then shipped suites."""
    from kdbench.suite import shipped

    files = [str(path) for folder in (Path(), Path("suites")) for path in sorted(folder.glob("*.yaml"))]
    return _fitting(incomplete, {**dict.fromkeys(files, "a file"), **_described(shipped.suites())})


def preset_names(part: str) -> Callable[[str], Completions]:
    """Shipped presets of one part of a suite, such as `students`, without the part's name."""

    def complete(incomplete: str) -> Completions:
        from kdbench.suite import shipped

        known = {name.removeprefix(f"{part}/"): path for name, path in shipped.presets().items() if name.startswith(f"{part}/")}
        return _fitting(incomplete, _described(known))

    return complete


def kinds_and_names(incomplete: str) -> Completions:
    """Kinds of plugins, then the plugins themselves."""
    from kdbench.plugins.loading import KINDS, installed

    known = dict.fromkeys(KINDS, "a kind of plugin")
    found: dict[str, str] = {}
    for kind in KINDS:
        found |= {name: listed.offer.summary for name, listed in installed().offers(kind).items()}
    return _fitting(incomplete, found | {str(kind): text for kind, text in known.items()})


def kinds(incomplete: str) -> Completions:
    """Kinds of plugins."""
    from kdbench.plugins.loading import KINDS

    return _fitting(incomplete, {str(kind): "" for kind in KINDS})


def names_of(kind: Kind) -> Callable[[str], Completions]:
    """The plugins of one kind."""

    def complete(incomplete: str) -> Completions:
        from kdbench.plugins.loading import installed

        return _fitting(incomplete, {name: listed.offer.summary for name, listed in installed().offers(kind).items()})

    return complete


def column_names(incomplete: str) -> Completions:
    """Columns of tables of runs, after those that are already there: `strategy,rs` gives `strategy,rsum`."""
    from kdbench.plugins.loading import installed
    from kdbench.plugins.parameters import construct
    from kdbench.reports.columns import known_columns

    tasks = [construct(listed.offer, {}) for listed in installed().offers("task").values()]
    metrics = {metric.label: metric for task in tasks for metric in task.metrics}
    before, comma, _ = incomplete.rpartition(",")
    return _fitting(
        incomplete, {f"{before}{comma}{name}": told for name, told in known_columns(list(metrics.values())).items()}
    )


def _described(files: dict[str, Path]) -> dict[str, str]:
    from kdbench.suite.shipped import description

    return {name: description(path) for name, path in files.items()}


def _fitting(incomplete: str, known: dict[str, str]) -> Completions:
    return [(name, text) for name, text in known.items() if name.startswith(incomplete)]
