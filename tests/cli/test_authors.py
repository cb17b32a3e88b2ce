"""`kdbench plugins` and `kdbench conform`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from kdbench import Offer, Signal, Strategy, hookimpl
from kdbench.plugins.loading import Plugins
from tests.support.processes import SCRIPT, process

Command = Callable[..., tuple[int, str, str]]


def test_plugins(kdbench: Command) -> None:
    code, out, _ = kdbench("plugins")
    rows = [line.split() for line in out.splitlines()[2:]]
    assert code == 0
    first = [["task", "retrieval"], ["dataset", "shapes"], ["teacher", "lens"], ["teacher", "tutor"]]
    assert [row[:2] for row in rows][:4] == first
    assert ["strategy", "equal"] in [row[:2] for row in rows]
    assert rows[1][2:] == ["squares", "and", "circles", "tests:tiny"]
    _, out, _ = kdbench("plugins", "objective")
    assert [line.split() for line in out.splitlines()[2:]] == [["objective", "cosine", "tests:tiny"]]


def test_one_plugin_is_described(kdbench: Command) -> None:
    code, out, _ = kdbench("plugins", "ammkd")
    assert code == 0
    assert out.startswith("strategy ammkd: gradient-diversity weights")
    assert "space        embedding | parameters  embedding" in out
    code, out, error = kdbench("plugins", "ammdk")
    assert (code, out) == (2, "")
    assert error == (
        "no plugin and no kind of plugin is called 'ammdk'; did you mean 'ammkd'? Or is its package not installed in this "
        "environment (pip install --editable FOLDER)?\n"
    )


class ByPlace:
    """Weights that depend on where a teacher stands."""

    def weigh(self, signal: Signal) -> Tensor:
        weights = signal.losses.new_ones(len(signal.teachers)).cumsum(0) ** 2
        return weights / weights.sum()


class Offering:
    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Strategy]]:
        return [Offer(self.name, ByPlace)]


def test_conform(kdbench: Command) -> None:
    code, out, err = kdbench("conform", "fixed")
    assert (code, err) == (0, "")
    assert out.startswith("strategy fixed, from kdbench:fixed\n  ✓ can be built\n  ✓ weights are a simplex")
    assert "✗" not in out


def test_conform_names_the_property_that_fails(kdbench: Command, plugins: Plugins) -> None:
    plugins.register(Offering("by_place"), "tests:offers")
    code, out, _ = kdbench("conform", "by_place")
    assert code == 1
    [failed] = [line for line in out.splitlines() if "✗" in line]
    assert failed.startswith("  ✗ permuting teachers permutes weights: ")
    assert "expected" in failed


def test_conform_with_parameters(kdbench: Command, plugins: Plugins) -> None:
    plugins.register(Offering("pebble"), "tests:offers")  # as a student is called
    code, out, _ = kdbench("conform", "ammkd", "C=2")
    assert code == 1
    assert "✗ can be built" in out
    assert kdbench("conform", "ammkd", "C=0.7")[0] == 0
    assert kdbench("conform", "pebble", "width=3")[::2] == (
        2,
        "'pebble' is the name of a student and a strategy; choose one with --kind\n",
    )
    code, out, _ = kdbench("conform", "pebble", "--kind", "strategy")
    assert code == 1
    assert "student" not in out
    assert kdbench("conform", "pebble", "--kind", "teacher")[::2] == (2, "--kind: no teacher is called 'pebble'\n")


def test_plugins_of_others_and_those_that_fail(distribution: Callable[[str, str], Path]) -> None:
    good = distribution("acmegood", "@hookimpl\ndef kdbench_strategies():\n    return [Offer('soft', dict, 'a soft one')]")
    bad = distribution("acmebad", "raise RuntimeError('out of order')")
    done = process(SCRIPT, "plugins", "strategy", PYTHONPATH=f"{good}{os.pathsep}{bad}")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["strategy", "soft", "a", "soft", "one", "acmegood:plugin"] in rows
    assert ["strategy", "equal"] in [row[:2] for row in rows]
    assert "acmebad:plugin failed to load: RuntimeError: out of order" in done.stderr
