"""`kdbench new`: a suite or a package to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdbench.cli import app, new
from kdbench.plugins.loading import installed
from kdbench.suite.check import load_suite

Command = Callable[..., tuple[int, str, str]]

STUDENTS = (
    "light-clip, resnet-24px, resnet-48px, consensus_pooling, fusion, l_lora, layer_pruned, lora, merged, mmlora, "
    "moefied_lora, openclip, soft_threshold, warm_start"
)


def test_new(kdbench: Command, tmp_path: Path) -> None:
    code, out, err = kdbench("new", "strategy", "mine", "--in", "there")
    assert code == 0
    assert set(out.split()) == {str(path.relative_to(tmp_path)) for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert err == "\nNext: pip install -e 'there/kdbench-mine[test]' && kdbench conform mine\n"
    assert kdbench("new", "strategy", "mine", "--in", "there")[0] == 2


def test_new_of_a_kind_without_properties(kdbench: Command) -> None:
    code, _, err = kdbench("new", "report", "mine", "--in", "there")
    assert (code, err) == (0, "\nNext: pip install -e 'there/kdbench-mine[test]' && pytest there/kdbench-mine\n")
    assert kdbench("new", "task", "mine")[0] == 2


def test_a_new_suite_is_valid_at_once(typed: Command) -> None:
    code, out, err = typed("new", "suite", "mine", "--in", "there")
    assert (code, out) == (0, "there/mine.yaml\n")
    assert "Next: kdbench run there/mine.yaml  (15 runs)" in err
    assert typed("check", "there/mine.yaml")[0] == 0
    suite = load_suite(Path("there/mine.yaml"), installed())
    assert (suite.name, suite.students[0].name, list(suite.teachers)) == ("mine", "resnet-48px", ["lite0", "lite2"])
    assert [one.name for one in suite.strategies] == ["equal", "ammkd"]
    code, _, err = typed("new", "suite", "mine", "--in", "there")
    assert code == 2
    assert "there/mine.yaml exists already" in err


def test_a_new_suite_from_plugins(typed: Command) -> None:
    options = ["--student", "openclip", "--teachers", "backbones,trained", "--strategies", "dwa", "-d", "emoji"]
    assert typed("new", "suite", "mine", *options)[0] == 0
    suite = load_suite(Path("mine.yaml"), installed())
    assert suite.teams == [[], ["backbones"], ["trained"], ["backbones", "trained"]]
    assert [one.use for one in suite.students] == ["openclip"]
    assert typed("new", "suite", "other", "--student", "rsnet-48px")[::2] == (
        2,
        f"student: found 'rsnet-48px', expected one of {STUDENTS}; did you mean 'resnet-48px'?\n",
    )


def test_a_new_suite_that_is_not_valid_is_kept_and_told(typed: Command) -> None:
    code, out, err = typed("new", "suite", "mine", "--dataset", "navier_stokes", "--strategies", "equal")
    assert (code, out) == (1, "mine.yaml\n")
    assert "recall_at" in err
    assert "The suite is written" in err


@pytest.mark.parametrize("name", ["big name", "../../evil", "", "a/b", "a" * 101])
def test_a_name_that_is_none_writes_nothing(name: str, typed: Command, tmp_path: Path) -> None:
    code, out, err = typed("new", "suite", name, "--in", "here")
    assert (code, out) == (2, "")
    assert f"the name of the suite: found {name!r}; expected letters" in err
    assert not list(tmp_path.iterdir())


def test_questions_are_asked_at_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new, "_terminal", lambda: True)
    done = CliRunner().invoke(app, ["new", "suite", "asked", "--dataset", "emoji"], input="\n\nequal, dwa\n")
    assert done.exit_code == 0, done.output
    assert f"Student: {STUDENTS}" in done.output
    assert "Dataset:" not in done.output
    assert [one.name for one in load_suite(Path("asked.yaml"), installed()).strategies] == ["equal", "dwa"]
