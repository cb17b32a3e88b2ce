"""Suites by name, resolved, and written anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kdbench.cli import app, new
from kdbench.cli.completion import kinds, names_of, preset_names, suite_names
from kdbench.plugins.loading import installed
from kdbench.suite import shipped
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from tests.support.paths import ROOT

Command = Callable[..., tuple[int, str, str]]


def test_suites_lists_each_with_one_line(typed: Command) -> None:
    code, out, err = typed("suites")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert lines.keys() == shipped.suites().keys()
    assert lines["quickstart"].endswith("minutes on a laptop.")
    assert max(map(len, out.splitlines())) <= 100
    assert str(ROOT / "suites") in err


def test_a_shipped_suite_by_its_name(typed: Command) -> None:
    code, out, _ = typed("plan", "quickstart")
    assert code == 0
    assert out.splitlines()[-1].startswith("5 of 5 runs to do")
    code, out, err = typed("plan", "quikstart")
    assert (code, out) == (2, "")
    assert err == "quikstart: no such file, and no such shipped suite; did you mean 'quickstart'?\n"


def test_resolved_is_a_suite_with_the_same_runs(typed: Command) -> None:
    code, out, err = typed("check", "emoji", "seeds=[7]", "--resolved")
    assert (code, "fine, 7 runs" in err) == (0, True)
    Path("resolved.yaml").write_text(out)
    assert "extends" not in out
    suites = (
        load_suite(ROOT / "suites/emoji.yaml", installed(), ["seeds=[7]"]),
        load_suite(Path("resolved.yaml"), installed()),
    )
    one, other = ([run.run_id for run in plan(suite)] for suite in suites)
    assert one == other


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
        "student: found 'rsnet-48px', expected one of light-clip, resnet-48px, fusion, openclip; did you mean 'resnet-48px'?\n",
    )


def test_a_new_suite_that_is_not_valid_is_kept_and_told(typed: Command) -> None:
    code, out, err = typed("new", "suite", "big name", "--strategies", "equal")
    assert (code, out) == (1, "big name.yaml\n")
    assert "name" in err
    assert "The suite is written" in err


def test_questions_are_asked_at_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new, "_terminal", lambda: True)
    done = CliRunner().invoke(app, ["new", "suite", "asked", "--dataset", "emoji"], input="\n\nequal, dwa\n")
    assert done.exit_code == 0, done.output
    assert "Student: light-clip, resnet-48px, fusion, openclip" in done.output
    assert "Dataset:" not in done.output
    assert [one.name for one in load_suite(Path("asked.yaml"), installed()).strategies] == ["equal", "dwa"]


def test_info_is_fit_for_a_bug_report(typed: Command, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/a.json").write_text("x" * 2_000_000)
    code, out, err = typed("info")
    lines = {line.split("  ")[0].strip(): line.split("  ", 1)[1].strip() for line in out.splitlines()}
    assert (code, err) == (0, "")
    for name in ("python", "kdbench", "torch", "device", "host cpu", "cache", "extra quickstart"):
        assert lines[name]
    assert lines["results"].endswith("2.0 MB in 1 file")
    assert lines["cache"].endswith("does not exist")
    assert "device" not in typed("info", "--quick")[1]


def test_h_is_help_everywhere() -> None:
    def commands(group: typer.Typer, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = [above]
        found += [(*above, one.name or one.callback.__name__) for one in group.registered_commands if one.callback]
        for inner in group.registered_groups:
            if inner.typer_instance and inner.name:
                found += commands(inner.typer_instance, (*above, inner.name))
        return found

    every = commands(app)
    assert ("data", "check") in every
    assert len(every) > 30
    for words in every:
        done = CliRunner().invoke(app, [*words, "-h"])
        assert done.exit_code == 0, words
        assert "Usage:" in done.output


def test_completion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick-mine.yaml").write_text("name: mine\n")
    assert [name for name, _ in suite_names("quick")] == ["quick-mine.yaml", "quickstart"]
    assert dict(suite_names("emoji"))["emoji-sweep"] == "Four strategies on emoji, tuned with equal budgets."
    assert [name for name, _ in preset_names("students")("res")] == ["resnet-48px"]
    assert [name for name, _ in kinds("s")] == ["student", "strategy"]
    assert ("equal" in dict(names_of("strategy")("eq"))) is True
