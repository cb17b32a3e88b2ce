"""`kdbench attribute`: what is known, what is missing, and doing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.cli import attribute  # noqa: F401  # registers the command
from kdbench.records.files import read_record, record_path, write_record
from kdbench.runs.execute import execute
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from kdbench.suite.sub_teams import teams_for
from tests.support import distributions
from tests.support.command_plugins import command_plugins
from tests.support.toys import Toys, run_context, toy_plugins

Command = Callable[..., tuple[int, str, str]]
TOYS = Toys()
SUITE = """\
name: few
seeds: [0, 1]
datasets: [beads]
students: [toy]
teachers:
  a: {use: sage, width: 10, seed: 1}
  b: {use: sage, width: 11, seed: 2}
teams:
  - []
  - [a]
  - [a, b]
strategies: [equal]
objective: [relational_kl]
train: {epochs: 1, batch_size: 8, precision: fp32}
evaluate: {recall_at: [1, 5]}
"""


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the toys are what is installed."""
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    return typed


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "few.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def listed(suite: Path, tmp_path: Path) -> list[RunSpec]:
    """What the suite lists, done: three of the four sub-teams."""
    specs = plan(load_suite(suite, toy_plugins()))
    for spec in specs:
        assert execute(spec, run_context(tmp_path)).status == "ok"
    return specs


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the toys a plugin of every process started from here, as an installed distribution is."""
    monkeypatch.setenv("PYTHONPATH", distributions.installed(tmp_path / "site", "tests.cli.test_attribute:TOYS"))


@pytest.mark.usefixtures("installed")
def test_from_what_is_missing_to_what_teachers_are_worth(
    kdbench: Command, suite: Path, listed: list[RunSpec], tmp_path: Path
) -> None:
    """Only the missing team is run; the records of the suite stay as they are."""
    code, out, _ = kdbench("attribute", suite)
    assert code == 0
    assert "beads · toy · a + b · equal\n\n  unknown: 1 of 4 sub-teams have no finished run: b\n" in out
    assert "2 runs of 1 sub-team are missing (b); `--run` executes them.\n2 of 8 runs to do, about " in out

    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    code, out, err = kdbench("attribute", suite, "--run", "--engine", "in_process", "--device", "cpu")
    assert (code, "6 of 8 runs are recorded; 2 to do." in err) == (0, True)
    assert "In the team a + b, `" in out
    assert "missing" not in out
    assert {path: path.read_bytes() for path in before} == before
    wanted = teams_for(load_suite(suite, toy_plugins())).specs
    rsum = {spec.label: read_record(record_path(tmp_path / "results", "few", spec.run_id)).metrics["rsum"] for spec in wanted}
    assert len(rsum) == len(listed) + 2

    code, out, _ = kdbench("attribute", suite, "--format", "json")
    assert code == 0
    read = json.loads(out)
    [found] = read["attributions"]
    assert (found["teachers"], found["missing"], read["missing"]) == (["a", "b"], [], [])
    nobody, a, b, both = (
        (rsum[f"toy · {team} · seed 0"] + rsum[f"toy · {team} · seed 1"]) / 2
        for team in ("no distillation", "a", "b", "a+b · equal")
    )
    shapley = [one["Shapley"]["mean"] for one in found["worths"]]
    assert shapley == pytest.approx([((a - nobody) + (both - b)) / 2, ((b - nobody) + (both - a)) / 2])
    assert found["total"]["mean"] == pytest.approx(both - nobody)


def test_json_names_what_is_missing(kdbench: Command, suite: Path) -> None:
    code, out, err = kdbench("attribute", suite, "--format", "json", "--strategy", "equal")
    read = json.loads(out)
    assert (code, err) == (0, "")
    assert len(read["missing"]) == len(read["attributions"][0]["missing"]) == 8
    assert read["attributions"][0]["reason"].startswith("4 of 4 sub-teams have no finished run")


def test_a_run_that_diverged_ends_with_1(kdbench: Command, suite: Path, tmp_path: Path) -> None:
    """When carrying out was asked for, as with `kdbench run`; looking ends with 0."""
    for spec in teams_for(load_suite(suite, toy_plugins())).specs:
        record = execute(spec, run_context(tmp_path))
        diverged: dict[str, object] = {
            "status": "diverged",
            "reason": "not a number",
            "metrics": {},
            "arrays_sha256": None,
            "trace_sha256": None,
        }
        if spec.label == "toy · b · seed 1":
            write_record(tmp_path / "results", record.replace(**diverged))
    code, out, _ = kdbench("attribute", suite)
    assert code == 0
    assert "note: diverged, so its seed is left out, which flatters its sub-team: toy · b · seed 1" in out
    assert "one seed: the variance of training is unknown" in out
    assert kdbench("attribute", suite, "--run")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--strategy", "equl"], "no strategy 'equl'; did you mean 'equal'?"),
        (["--teachers", "a,bb"], "no teacher 'bb'; did you mean 'b'?"),
        (["--teachers", "a, a"], "found the teacher 'a' twice"),
        (["--teachers", ","], "nothing to attribute"),
        (["--device", "gpu"], "device: found 'gpu'"),
        (["teams=[[]]"], "nothing to attribute"),
        (["seds=[0]"], "did you mean 'seeds'?"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], told: str, kdbench: Command, suite: Path) -> None:
    code, out, err = kdbench("attribute", suite, *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_help_teaches(kdbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    code, out, _ = kdbench("attribute", "--help")
    assert code == 0
    for word in ("leave-one-out", "Shapley", "alone", "--run", "--strategy", "--teachers", "2^T"):
        assert word in out
