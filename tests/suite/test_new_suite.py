"""A suite from a few choices."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import SuiteError
from kdbench.plugins.loading import installed
from kdbench.suite.check import load_suite
from kdbench.suite.new_suite import Choices, known, suite_text, write_suite
from kdbench.suite.plan import plan


def test_every_preset_and_plugin_makes_a_valid_suite(tmp_path: Path) -> None:
    plugins = installed()
    choices = [
        *(Choices(student=student) for student in known("students", "student", "emoji", plugins)),
        *(Choices(teachers=(teacher,)) for teacher in known("teachers", "teacher", "emoji", plugins)),
        Choices(strategies=tuple(plugins.offers("strategy"))),
        *(
            Choices(dataset=name)
            for name in plugins.offers("dataset")
            if plugins.offers("dataset")[name].offer.task == "retrieval"
        ),
    ]
    for place, one in enumerate(choices):
        small = ["train.batch_size=32"]  # as miniatures have few training images
        assert plan(load_suite(write_suite(f"s{place}", one, tmp_path, plugins), plugins, small))


def test_the_choices_are_what_is_in_it(tmp_path: Path) -> None:
    choices = Choices("emoji", "openclip", ("backbones", "trained"), ("dwa",), seeds=(4,))
    suite = load_suite(write_suite("mine", choices, tmp_path / "deep", installed()), installed())
    assert (suite.name, suite.seeds) == ("mine", [4])
    assert [one.use for one in suite.datasets] == ["emoji"]
    assert [one.use for one in suite.students] == ["openclip"]
    assert suite.teams == [[], ["backbones"], ["trained"], ["backbones", "trained"]]
    assert [one.name for one in suite.strategies] == ["dwa"]


def test_a_single_teacher_takes_no_strategy(tmp_path: Path) -> None:
    suite = load_suite(write_suite("mine", Choices(teachers=("backbones",)), tmp_path, installed()), installed())
    assert suite.teams == [[], ["backbones"]]
    assert suite.strategies == []


@pytest.mark.parametrize(
    ("teachers", "names"),
    [(("efficientnet-lite",), ["lite0", "lite2"]), (("backbones", "trained"), ["backbones", "trained"])],
)
def test_weights_are_of_the_suites_teachers(teachers: tuple[str, ...], names: list[str], tmp_path: Path) -> None:
    """They were those of the example: all runs were skipped, as no teacher had a weight."""
    choices = Choices(teachers=teachers, strategies=("fixed",))
    suite = load_suite(write_suite("mine", choices, tmp_path, installed()), installed())
    [fixed] = suite.strategies
    assert list(fixed.params["weights"]) == names


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(dataset="emojis"), "dataset: found 'emojis'"),
        (Choices(student="resnet-48p"), "did you mean 'resnet-48px'?"),
        (Choices(teachers=("efficientnet-light",)), "did you mean 'efficientnet-lite'?"),
        (Choices(strategies=("equl",)), "did you mean 'equal'?"),
        (Choices(training="emojy"), "training: found 'emojy', expected one of clip-kd, emoji; did you mean 'emoji'?"),
    ],
)
def test_unknown_choices(choices: Choices, told: str) -> None:
    with pytest.raises(SuiteError) as error:
        suite_text("mine", choices, installed())
    assert told in str(error.value)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("years of work")
    with pytest.raises(SuiteError, match="exists already"):
        write_suite("mine", Choices(), tmp_path, installed())
    assert (tmp_path / "mine.yaml").read_text() == "years of work"
