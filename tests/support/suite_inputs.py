"""Overrides of a suite, from right ones to anything, and what holds for each."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from tests.support.yaml_inputs import flow

PATHS = [
    "name",
    "seeds",
    "seeds[0]",
    "datasets",
    "datasets[0]",
    "datasets[0].use",
    "datasets.0.colours",
    "students",
    "teachers",
]
PATHS += ["teachers.a", "teachers.a.focal", "teams", "teams[1]", "teams[1][0]", "strategies[1].C", "objective[0].coefficient"]
PATHS += ["train", "train.lr", "train.epochs", "train.batch_size", "evaluate", "evaluate.recall_at", "evaluate.recall_at[0]"]
PATHS += [
    "sweep",
    "sweep.trials",
    "sweep.space",
    "variants",
    "variants.x",
    "variants.x.train",
    "latency",
    "references",
    "extends",
]
PATHS += ["", ".", "[", "a[", "a]b", "[0]", "datasets[9]", "datasets[-1]", "students[0].use.x", "description", "train[0]", "名"]

paths = st.one_of(st.sampled_from(PATHS), st.text(max_size=8))
VALUES = [
    "[]",
    "{}",
    "null",
    "[[]]",
    "[a]",
    "{a: 1}",
    "equal",
    "[equal, equal]",
    "-1",
    "0",
    "1e400",
    "9223372036854775807",
    "x",
    "true",
]
values = st.one_of(st.sampled_from(VALUES), flow)
overrides = st.lists(st.tuples(paths, values).map("=".join), min_size=1, max_size=3)


def holds_for_overrides(path: Path, plugins: Plugins, given: list[str]) -> None:
    """The suite is checked and laid out, or refused with a message that can be printed; nothing else is raised."""
    try:
        plan(load_suite(path, plugins, given))
    except KdbenchError as refused:
        str(refused).encode()
