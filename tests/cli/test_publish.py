"""Commands over records that are handed to others: submit, verify."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import kdbench.cli.publish  # noqa: F401  # registers its commands
from kdbench.records.files import read_arrays, read_record, record_path, write_arrays, write_record
from kdbench.records.tasks import task_of
from kdbench.runs.execute import execute
from tests.support.command_plugins import command_plugins
from tests.support.toys import run_context, run_spec

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kdbench_(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the toys are what is installed."""
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    return typed


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two runs of the toys under results/."""
    where = run_context(tmp_path)
    specs = [run_spec(seed=seed) for seed in range(2)]
    assert [execute(spec, where).status for spec in specs] == ["ok", "ok"]
    return [record_path(Path("results"), spec.suite, spec.run_id) for spec in specs]


def clean(path: Path) -> None:
    """As if it came from a commit: the code that is being tested may differ from it."""
    write_record(Path("results"), read_record(path).replace(dirty=False))


def test_records_go_to_a_bundle_and_are_verified_there(kdbench_: Command, two: list[Path]) -> None:
    for path in two:
        clean(path)
    code, _, err = kdbench_("submit", "results", "--out", "to/b.zip", "--by", "Ada")
    assert (code, err) == (0, "2 records, in 7 files: to/b.zip\n")
    assert kdbench_("verify", "to/b.zip") == (0, "2 records fine\n", "")
    assert kdbench_("verify") == (0, "2 records fine\n", "")


def test_problems_are_listed_and_the_rest_is_counted(kdbench_: Command, two: list[Path]) -> None:
    record = read_record(two[1])
    write_record(Path("results"), record.replace(label="the best"))
    code, out, err = kdbench_("verify", "results")
    assert (code, out) == (1, "1 record fine; 1 problem in 1 file\n")
    expected = f"{two[1]}: label does not follow from the spec\n  found     the best\n  expected  {record.label}\n"
    assert err == expected
    code, out, err = kdbench_("submit", "results", "--out", "b.zip")
    assert (code, out) == (2, "")
    assert err.startswith(expected)
    assert not Path("b.zip").exists()


def test_a_run_is_trained_again(kdbench_: Command, two: list[Path]) -> None:
    code, out, err = kdbench_("verify", "results", "--rerun", two[0].stem[:6])
    label = read_record(two[0]).label
    assert (code, out.splitlines()) == (0, ["2 records fine", f"{two[0].stem} ({label}): same"])
    assert err == f"Training {label} again\n"
    true = read_arrays(two[0])
    edited = {**true, "image": true["image"] % 20 + 1}
    record = read_record(two[0])
    changes = {"arrays_sha256": write_arrays(two[0], edited), "metrics": task_of(record.spec.task).measure(edited)}
    write_record(Path("results"), record.replace(**changes))
    code, out, _ = kdbench_("verify", "results", "--rerun", two[0].stem)
    assert code == 1
    assert "different\n  30 of 50 queries (60.00%) score differently" in out


def test_a_run_that_is_not_there(kdbench_: Command, two: list[Path]) -> None:
    code, _, err = kdbench_("verify", "results", "--rerun", two[0].stem[:-1] + "x")
    assert code == 2
    assert f"did you mean {two[0].stem!r}?" in err
    code, _, err = kdbench_("verify", "absent")
    assert (code, err) == (2, "absent: no such file or folder\n")
