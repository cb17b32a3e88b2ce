"""A suite made small: which parts shrink, that the others stay, and that it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from kdbench import Dataset, Offer, Student, Teacher, Uses, hookimpl
from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.suite import smoke
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.settings import Train, Views
from kdbench.suite.spec import RunSpec
from kdbench.testing import Shapes

Make = Callable[..., Record]


def stone(*, width: int = 512) -> Student:
    raise AssertionError(f"a student was built: {width}")


def tutored(*, student: Annotated[dict[str, Any], Uses("student")], lessons: int = 90) -> Teacher:
    raise AssertionError(f"a teacher was built: {student} {lessons}")


def led(*, team: Annotated[dict[str, dict[str, Any]] | None, Uses("teacher", several=True)] = None) -> Teacher:
    raise AssertionError(f"a teacher was built: {team}")


class Rocks(Shapes):
    def __init__(self, *, size: int = 32) -> None:
        self.size = size


class Shrinking:
    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("rocks", Rocks, smoke=lambda params: params | {"size": 8})]

    @hookimpl
    def kdbench_students(self) -> list[Offer[Student]]:
        return [Offer("stone", stone, smoke=lambda params: params | {"width": params["width"] // 64})]

    @hookimpl
    def kdbench_teachers(self) -> list[Offer[Teacher]]:
        return [Offer("tutored", tutored, smoke=lambda params: params | {"lessons": 1}), Offer("led", led)]


def small(plugins: Plugins, path: Path) -> list[RunSpec]:
    plugins.register(Shrinking(), "tests:shrinking")
    return plan(load_suite(path, plugins, smoke=True))


def test_plugins_shrink_themselves_and_those_they_wrap(plugins: Plugins, suite_file: Callable[..., Path]) -> None:
    path = suite_file(
        ("- use: pebble", "- {use: stone, width: 640}\n  - use: pebble"),
        ("a: {use: lens, focal: 35.0}", "a: {use: tutored, student: {use: stone}}"),
    )
    runs = small(plugins, path)
    students = {run.student.use: run.student.params for run in runs}
    assert students == {"stone": {"width": 10}, "pebble": {"width": 8, "shade": "grey"}}
    teachers = {teacher.name: teacher.params for run in runs for teacher in run.team}
    assert teachers["a"] == {"student": {"use": "stone", "width": 8}, "lessons": 1}
    assert teachers["b"] == {"focal": 50.0, "coated": False}  # it has no smaller form


def test_several_plugins_in_one_parameter(plugins: Plugins, suite_file: Callable[..., Path]) -> None:
    """They are checked and shrink as one does; an id leaves out what is at its default, and the digests of parts know them."""
    team = "{x: {use: tutored, student: {use: stone, width: 640}}, y: {use: lens, focal: 1.0, coated: false}}"
    path = suite_file(("a: {use: lens, focal: 35.0}", f"a: {{use: led, team: {team}}}"))
    teacher = next(teacher for run in small(plugins, path) for teacher in run.team if teacher.name == "a")
    led = teacher.params["team"]
    assert led["x"] == {"use": "tutored", "student": {"use": "stone", "width": 10}, "lessons": 1}
    whole = next(teacher for run in plan(load_suite(path, plugins)) for teacher in run.team if teacher.name == "a")
    kept = {"x": {"use": "tutored", "student": {"use": "stone", "width": 640}}, "y": {"use": "lens", "focal": 1.0}}
    assert whole.params == {"team": kept}
    wrong = suite_file(("a: {use: lens, focal: 35.0}", f"a: {{use: led, team: {team.replace('lens', 'lense')}}}"))
    with pytest.raises(SuiteError, match=r"teachers\.a\.team\.y\.use"):
        load_suite(wrong, plugins)


def test_the_grid_stays_and_training_is_short(plugins: Plugins, suite_file: Callable[..., Path]) -> None:
    path = suite_file(("epochs: 2, batch_size: 8", "epochs: 50, batch_size: 8, lr: 0.5"))
    whole, runs = plan(load_suite(path, plugins)), small(plugins, path)
    assert [(run.team, run.strategy) for run in runs] == [(run.team, run.strategy) for run in whole if run.seed == 0]
    trained = [(run, run.train) for run in runs if run.train]
    assert len(trained) == len(runs)
    assert {(run.suite, run.smoke, run.seed, train.epochs, train.batch_size, train.lr) for run, train in trained} == {
        ("tiny-smoke", True, 0, 1, 8, 0.5)
    }
    assert not {run.run_id for run in runs} & {run.run_id for run in whole}


def test_variants_shrink_too(plugins: Plugins, suite_file: Callable[..., Path]) -> None:
    path = suite_file(("evaluate:", "variants:\n  big: {students: [{use: stone}]}\n  own: {}\nevaluate:"))
    assert {(run.variant, run.student.name, run.train.epochs) for run in small(plugins, path) if run.train} == {
        ("big", "stone", 1),
        ("own", "pebble", 1),
    }


def test_further_datasets_shrink_too(plugins: Plugins, suite_file: Callable[..., Path]) -> None:
    path = suite_file(("recall_at: [1, 5]", "recall_at: [1, 5], also: [{use: rocks, size: 64}]"))
    transfers = [run for run in small(plugins, path) if run.trained_on]
    assert {str(run.dataset.params) for run in transfers} == {"{'size': 8}"}
    assert len(transfers) == 4


def test_pieces_and_views_stay_but_few() -> None:
    views = Views(count=9, flip=0.5)
    for train, batch, piece, count in (
        (Train(batch_size=20, micro_batch=8, views=views), 20, 8, 2),
        (Train(batch_size=200, micro_batch=128, views=Views(count=1)), 64, 32, 1),
        (Train(batch_size=200, micro_batch=200, views=views), 64, 64, 2),
        (Train(batch_size=200), 64, None, None),
    ):
        small = smoke._brief(train)
        assert (small.epochs, small.batch_size, small.micro_batch) == (1, batch, piece)
        assert (small.views and small.views.count) == count
        assert small.views is None or small.views.flip == (train.views and train.views.flip)


def test_few_folds(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    path = suite_file(("name: tiny", "name: tiny\nfolds: 5"))
    assert load_suite(path, plugins, smoke=True).folds == smoke.FOLDS == 3
    assert load_suite(suite_file(), plugins, smoke=True).folds is None
