"""The main job on the real data and weights: the quickstart suite, shortened by overrides, through the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.patience import PATIENCE, until

SHORT = [
    "train.epochs=1",
    "train.batch_size=128",
    "evaluate.every=1",
    *(f"teachers.{name}.{setting}" for name in ("lite0", "lite2") for setting in ("resolution=32", "epochs=1")),
]


def kdbench(*arguments: str, cwd: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kdbench", *arguments]
    environment = os.environ | {"KDBENCH_CACHE": str(cache), "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def run(folder: Path, cache: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    return kdbench("run", str(ROOT / "suites/quickstart.yaml"), *SHORT, *extra, cwd=folder, cache=cache)


def ranks_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "results/quickstart").glob("*.test.npz"))}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """The shortened suite, run once from an empty cache: its folder, its cache, what it printed.

    Students are measured at the end of a run in tests/cli/test_models.py.
    """
    folder, cache = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("cache")
    done = run(folder, cache, "--no-profile")
    assert done.returncode == 0, done.stderr
    return folder, cache, done


def test_leaderboard_has_every_row(first: tuple[Path, Path, subprocess.CompletedProcess[str]]) -> None:
    _, _, done = first
    table = done.stdout
    assert "RSUM" in table
    for teachers, strategy in [
        ("no distillation", "–"),
        ("lite0", "–"),
        ("lite2", "–"),
        ("lite0 + lite2", "equal"),
        ("lite0 + lite2", "ammkd†"),
    ]:
        rows = [line for line in table.splitlines() if f"  {teachers} " in line and f" {strategy} " in line]
        assert rows, f"no row for {teachers}, {strategy} in\n{table}"


def test_records_hold_what_a_reader_needs(first: tuple[Path, Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _, _ = first
    paths = [path for path in (folder / "results/quickstart").glob("*.json") if not path.name.endswith(".trace.json")]
    records = [json.loads(path.read_text()) for path in paths]
    assert len(records) == 5
    assert {record["status"] for record in records} == {"ok"}
    assert len({record["dataset_digest"] for record in records}) == 1
    for record in records:
        assert record["metrics"]["rsum"] == pytest.approx(
            100 * sum(value for name, value in record["metrics"].items() if "recall@" in name)
        )
        assert set(record["timings"]) == {"teacher", "train", "strategy", "evaluate"}
        assert sum(record["weights"].values()) == pytest.approx(1.0 if record["spec"]["team"] else 0.0, abs=1e-5)
        assert record["timings"]["teacher"] > 0 or not record["spec"]["team"]


def test_second_run_executes_nothing(first: tuple[Path, Path, subprocess.CompletedProcess[str]]) -> None:
    folder, cache, done = first
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = run(folder, cache, "--no-profile")
    assert again.returncode == 0
    assert "All 5 runs are recorded" in again.stderr
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.faults
@pytest.mark.fault("a lost cache")
def test_same_spec_from_an_empty_cache_gives_the_same_ranks(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Teachers are trained and encoded again too; their float16 embeddings have the same digests."""
    folder, cache, _ = first
    again, empty = tmp_path / "again", tmp_path / "cache"
    again.mkdir()
    done = run(again, empty, "teams=[[], [lite0, lite2]]", "strategies=[{use: ammkd, C: 0.6}]", "--no-profile")
    assert done.returncode == 0, done.stderr
    expected, found = ranks_of(folder), ranks_of(again)
    assert len(found) == 2
    assert all(found[name] == expected[name] for name in found)
    digests = [
        {m.parent.name: json.loads(m.read_text())["files"] for m in root.glob("encodings/*/manifest.json")}
        for root in (cache, empty)
    ]
    assert digests[0] == digests[1]


@pytest.mark.faults
@pytest.mark.fault("a killed run")
def test_killed_run_resumes_to_identical_ranks(
    first: tuple[Path, Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """SIGKILL to the whole process group at a random moment after the first checkpoint, then the same command again.

    Runs that draw random numbers are stopped and resumed in tests/training/test_loop.py.
    """
    calm, cache, _ = first
    killed = tmp_path / "killed"
    killed.mkdir()
    extra = ["teams=[[lite0, lite2]]", "strategies=[ammkd]", "train.checkpoint_every=1", "--no-profile"]
    scratch = cache / "scratch"
    process = subprocess.Popen(
        [sys.executable, "-m", "kdbench", "run", str(ROOT / "suites/quickstart.yaml"), *SHORT, *extra],
        cwd=killed,
        env=os.environ | {"KDBENCH_CACHE": str(cache)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: list(scratch.glob("*/checkpoint.safetensors")) or process.poll() is not None)
    assert process.poll() is None, "the run ended before it could be killed"
    time.sleep(random.uniform(0, 1))  # some 16 steps are left: well before the end on a machine three times as fast, too
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(scratch.glob("*/checkpoint.safetensors")), "killed too late to show anything"
    assert not ranks_of(killed)
    again = run(killed, cache, *extra)
    assert again.returncode == 0, again.stderr
    (found,), expected = ranks_of(killed).items(), ranks_of(calm)
    assert expected[found[0]] == found[1], "the resumed run ranks differently"
    for path in (killed / "results/quickstart").glob("*.test.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert arrays["text"].min() >= 1


def test_check_finds_mistakes_before_anything_is_made(tmp_path: Path) -> None:
    done = kdbench("check", str(ROOT / "suites/quickstart.yaml"), "students.0.config=5", cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "students[0].config" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cache").exists()
