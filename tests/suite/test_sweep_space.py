"""The space of a sweep that is wrong, and what is said about it; and how a right one is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError, Offer, Student
from kdbench.errors import SuiteError
from kdbench.suite.check import load_suite
from kdbench.suite.schema import json_schema
from kdbench.suite.sweep import Parameter
from kdbench.suite.sweep_space import put
from tests.support.sweeping import suite_of, suite_path
from tests.support.toys import toy, toy_plugins

LR = "train.lr: {low: 1e-3, high: 1e-1, log: true}"
C = "C: {low: 0.5, high: 1}"
WRONG = {
    "an unknown key": ("trials: 4", "trials: 4\n  samplr: tpe", "sweep.samplr", "did you mean 'sampler'?"),
    "no trials": ("trials: 4", "seed: 1", "sweep.trials", "a value; it has no default"),
    "a path that is mistyped": (LR, "train.lrr: {low: 1e-3, high: 1e-1}", "sweep.space.train.lrr", "did you mean 'train.lr'?"),
    "a setting of the budget": (LR, "train.epochs: [1, 2]", "sweep.space.train.epochs", "one of train.lr, train.weight_decay"),
    "a teacher": (LR, "teachers.a.width: [1, 2]", "sweep.space.teachers.a.width", "one of train.lr"),
    "a term there is none of": (LR, "objective[2].coefficient: [1, 2]", "objective[2].coefficient", "one of train.lr"),
    "a bound": (LR, "train.lr: {low: 0, high: 1}", "sweep.space.train.lr", "found     0\n  expected  greater than 0"),
    "the other bound": (LR, "train.warmup: {low: 0, high: 1.5}", "train.warmup", "found     1.5\n  expected  less than"),
    "a choice": (LR, "train.lr: [0.1, high]", "sweep.space.train.lr", "found     'high'\n  expected  a number"),
    "one choice": (LR, "train.lr: [0.1]", "sweep.space.train.lr", "two or more different choices"),
    "choices that repeat": (LR, "train.lr: [0.1, 0.2, 0.1]", "sweep.space.train.lr", "two or more different choices"),
    "low above high": (LR, "train.lr: {low: 1, high: 0.5}", "sweep.space.train.lr.high", "more than low, 1"),
    "the logarithm of 0": (LR, "train.weight_decay: {low: 0, high: 1, log: true}", "train.weight_decay.low", "more than 0"),
    "a step of a logarithm": (LR, "train.lr: {low: 1, high: 2, log: true, step: 0.1}", "train.lr.step", "no step on a log"),
    "half a range": (LR, "train.lr: {low: 1}", "sweep.space.train.lr.high", "a value; it has no default"),
    "an unknown key of a range": (LR, "train.lr: {low: 1, high: 2, stepp: 1}", "train.lr.stepp", "did you mean 'step'?"),
    "a number alone": (LR, "train.lr: 0.1", "sweep.space.train.lr", "a list of choices, or a map with low and high"),
    "an unknown parameter": (C, "D: {low: 0.5, high: 1}", "sweep.strategies.ammkd.D", "one of C, normalize, space"),
    "a parameter's bound": (C, "C: {low: 0.5, high: 2}", "sweep.strategies.ammkd.C", "less than or equal to 1"),
    "a parameter's choice": (C, "normalize: [none, l3]", "sweep.strategies.ammkd.normalize", "found     'l3'"),
    "an unknown label": ("    ammkd:\n", "    amkd:\n", "sweep.strategies.amkd", "did you mean 'ammkd'?"),
    "an unknown metric": ("trials: 4", "trials: 4\n  metric: recall", "sweep.metric", "one of image_retr"),
    "one objective": ("trials: 4", "trials: 4\n  objectives: [rsum]", "sweep.objectives", "a single one is the `metric`"),
    "an unknown objective": (
        "trials: 4", "trials: 4\n  objectives: [rsum, latncy]", "sweep.objectives[1]", "did you mean 'latency'?"
    ),
    "objectives and pruning": (
        "trials: 4", "trials: 4\n  objectives: [rsum, flops]\n  pruner: successive_halving", "sweep.pruner", "none: Optuna"
    ),
    "an unknown pruner": ("trials: 4", "trials: 4\n  pruner: median", "sweep.pruner.use", "'successive_halving' or 'none'"),
    "students without objectives": ("trials: 4", "trials: 4\n  student: {width: [4, 8]}", "sweep.student", "`objectives:`"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, path: str, said: str) -> None:
    file = suite_path(tmp_path, (old, new))
    with pytest.raises(SuiteError) as raised:
        load_suite(file, toy_plugins())
    text = str(raised.value)
    first, _, rest = text.partition("\n")
    assert first.endswith(path), text
    assert said in rest, text
    line = int(first.removeprefix(f"{file}:").split(":")[0])
    near = file.read_text().splitlines()[line - 1]
    assert near.strip() == (
        "sweep:" if said.startswith("a value") and path == "sweep.trials" else new.strip().split("\n")[-1].strip()
    )


def test_nothing_to_tune(tmp_path: Path) -> None:
    file = suite_path(tmp_path)
    text = file.read_text()
    file.write_text(text[: text.index("  space:")])
    with pytest.raises(SuiteError, match="something to tune: `space:`"):
        load_suite(file, toy_plugins())


def test_values_are_read_as_the_parameters_own_type(tmp_path: Path) -> None:
    """0 to 2 of a number that may have decimals is no choice of three; the choice 1 of one is 1.0, which keeps run ids."""
    sweep = suite_of(tmp_path).sweep
    assert sweep is not None
    assert sweep.space == [
        Parameter(path="train.lr", kind="float", low=1e-3, high=1e-1, log=True),
        Parameter(path="train.distill", kind="choice", choices=[0.3, 1.0, 3.0]),
        Parameter(path="objective[1].coefficient", kind="float", low=0.0, high=2.0),
    ]
    assert [type(choice) for choice in sweep.space[1].choices] == [float] * 3
    assert {type(sweep.space[2].low), type(sweep.space[2].high)} == {float}
    assert sweep.strategies == {"equal": [], "ammkd": [Parameter(path="strategy.C", kind="float", low=0.5, high=1.0)]}


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    edit = ("trials: 4", "trials: 4\n  objectives: [rsum, flops]\n  student: {width: {low: 4, high: 16, step: 4}}")
    sweep = suite_of(tmp_path, edit).sweep
    assert sweep is not None
    assert sweep.student == [Parameter(path="student.width", kind="int", low=4, high=16, step=4)]
    assert type(sweep.student[0].low) is int


def test_a_plugin_looks_at_every_value_when_asked_to(tmp_path: Path) -> None:
    """What only its own code can tell, said of the sweep's line and before anything is trained."""

    def look(*, width: int = 8) -> None:
        if width > 8:
            raise KdbenchError(f"width {width} does not fit")

    def small(*, width: int = 8) -> Student:
        return toy(width=width)

    plugins = toy_plugins(students=[Offer("small", small, check=look)])
    edit = ("trials: 4", "trials: 4\n  objectives: [rsum, flops]\n  student: {width: [4, 8, 16]}")
    path = suite_path(tmp_path, edit, ("students: [toy]", "students: [small]"))
    assert load_suite(path, plugins).sweep is not None
    with pytest.raises(SuiteError, match=r"sweep.yaml:18: sweep.student.width\n  width 16 does not fit"):
        load_suite(path, plugins, deep=True)


def test_a_suite_without_a_sweep_has_none(tmp_path: Path) -> None:
    file = suite_path(tmp_path)
    file.write_text(file.read_text().partition("sweep:")[0])
    assert load_suite(file, toy_plugins()).sweep is None


def test_a_variants_terms_are_its_own(tmp_path: Path) -> None:
    variants = "variants:\n  full: {}\n  one: {objective: [relational_kl]}\nsweep:\n  trials: 4"
    with pytest.raises(SuiteError, match=r"objective\[1\].coefficient"):
        suite_of(tmp_path, ("sweep:\n  trials: 4", variants))


def test_a_label_of_a_variant_alone_is_known(tmp_path: Path) -> None:
    variants = "variants:\n  full: {}\n  free: {strategies: [{use: ammkd, name: free}]}\nsweep:\n  trials: 4"
    suite = suite_of(tmp_path, ("sweep:\n  trials: 4", variants), ("    ammkd:\n", "    free:\n"))
    assert {name: one.sweep and list(one.sweep.strategies) for name, one in suite.variants.items()} == {
        "full": ["equal", "ammkd"],
        "free": ["free"],
    }


def test_editors_know_the_block() -> None:
    schema = json_schema(toy_plugins())
    block: dict[str, Any] = schema["$defs"]["SweepFile"]
    assert {"trials", "space", "sampler", "pruner", "metric", "objectives"} <= set(block["properties"])


def test_put() -> None:
    data: dict[str, Any] = {"a": [{"b": 1}]}
    put(data, ("a", 0, "b"), 2)
    assert data == {"a": [{"b": 2}]}
    with pytest.raises(IndexError):
        put(data, ("a", 1, "b"), 2)


@pytest.mark.parametrize(
    ("parameter", "admitted", "refused"),
    [
        ({"kind": "float", "low": 0.5, "high": 1}, [0.5, 0.75, 1], [0.49, 1.01, True, "0.7", None]),
        ({"kind": "float", "low": 0, "high": 1, "step": 0.25}, [0, 0.75, 1.0], [0.3]),
        ({"kind": "float", "low": 0.1, "high": 0.7, "step": 0.2}, [0.1, 0.3, 0.5, 0.7], [0.2]),
        ({"kind": "int", "low": 4, "high": 16, "step": 4}, [4, 12, 16], [6, 20, 8.0, True]),
        ({"kind": "choice", "choices": [1, "a", None, [2, 3]]}, [1, 1.0, "a", None, [2, 3]], [True, "b", [3, 2], 0]),
        ({"kind": "choice", "choices": [False, 2]}, [False, 2], [0, True]),
    ],
)
def test_what_a_parameter_admits(parameter: dict[str, Any], admitted: list[Any], refused: list[Any]) -> None:
    one = Parameter(path="train.lr", **parameter)
    assert [one.admits(value) for value in admitted] == [True] * len(admitted)
    assert [one.admits(value) for value in refused] == [False] * len(refused)
