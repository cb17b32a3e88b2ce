"""`kdbench run` when nothing is left to do, and `--race`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdbench.plugins.loading import Plugins
from kdbench.records.files import write_record
from kdbench.records.record import Record
from kdbench.suite.check import load_suite
from kdbench.suite.model import raced
from kdbench.suite.plan import plan
from tests.support.rankings import finished, write

Make = Callable[..., Record]
Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("diverged", 1)])
def test_run_when_all_is_recorded(
    status: str,
    code: int,
    kdbench: Command,
    suite_file: Callable[..., Path],
    plugins: Plugins,
    record: Make,
    tmp_path: Path,
) -> None:
    """Nothing is trained: the tiny plugins cannot even be built."""
    path = suite_file()
    specs = plan(load_suite(path, plugins))
    for spec in specs[:-1]:
        write(tmp_path / "results", finished(spec, *np.random.default_rng(spec.seed).integers(1, 11, (2, 10))))
    if status == "ok":
        write(tmp_path / "results", finished(specs[-1], *np.ones((2, 10))))
    else:
        write_record(tmp_path / "results", record(specs[-1], status=status, reason="not a number", metrics={}))
    found, out, err = kdbench("run", path, "--no-profile")
    assert found == code
    told = f"warning: 1 run ({specs[-1].label}) was recorded as diverged; `kdbench run` with --redo executes it again\n"
    assert err == ("" if status == "ok" else told) + "All 8 runs are recorded under results/tiny.\n"
    assert out.count("· pebble ·") >= 1
    assert len([line for line in out.splitlines() if "±" in line and "interval" not in line]) >= 4
    assert ("diverged: not a number" in out) == (status == "diverged")


def test_redo_executes_what_diverged(
    kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, record: Make, tmp_path: Path
) -> None:
    """The tiny plugins cannot be built: the run fails, and the record that was there stays."""
    path = suite_file()
    specs = plan(load_suite(path, plugins))
    for spec in specs[:-1]:
        write(tmp_path / "results", finished(spec, *np.random.default_rng(spec.seed).integers(1, 11, (2, 10))))
    written = write_record(tmp_path / "results", record(specs[-1], status="diverged", reason="not a number", metrics={}))
    before = written.read_bytes()
    code, _, err = kdbench("run", path, "--no-profile", "--redo", "--debug")
    assert code == 1
    assert "7 of 8 runs are recorded; 1 to do." in err
    assert f"[1/1] {specs[-1].label}  failed" in err
    assert written.read_bytes() == before


def test_a_race_that_has_ended_says_why_each_row_stopped(
    kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained: the tiny plugins cannot even be built. Rows are far apart, so that the first look decides."""
    monkeypatch.setenv("COLUMNS", "200")
    path = suite_file()
    path.write_text(path.read_text() + "\nrace: {min_seeds: 2, max_seeds: 4, looks: 3}\n")
    specs = plan(raced(load_suite(path, plugins)))
    cells = list(dict.fromkeys(spec.cell_id for spec in specs))
    for spec in specs:
        if spec.seed < 2:
            rank = (1, 3, 6, 10)[cells.index(spec.cell_id)]
            write(tmp_path / "results", finished(spec, *np.full((2, 10), rank)))
    code, out, err = kdbench("run", path, "--no-profile", "--race")
    assert (code, err) == (0, "")
    design = "raced, with looks at 2, 3, 4 seeds, rows with a chance below 1% stop"
    assert f"{design}: tested at 2 seeds, spending 1.25% of the 5%; no row goes on" in out
    assert out.count("worse, look 1") == 3
    assert out.count("settled, look 1") == 1


def test_a_race_that_cannot_go_on_fails(kdbench: Command, suite_file: Callable[..., Path]) -> None:
    code, _, err = kdbench("run", suite_file(), "--no-profile", "--race", "--debug")
    assert code == 1
    assert err.startswith("look 1: seeds 0 to 2 of 4 rows\n")
    assert err.count("failed") == 12
    assert "look 2" not in err
