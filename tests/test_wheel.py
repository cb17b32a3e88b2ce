"""The built wheel in an environment of its own: suites come with it, no checkout is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.patience import PATIENCE


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs. The dependencies are lent by this environment, its kdbench is not."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = (folder / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def inside(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "100", "KDBENCH_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    done = inside(
        installed,
        tmp_path,
        "-c",
        "import kdbench; from kdbench.suite import shipped; print(kdbench.__file__, shipped.folder())",
    )
    assert done.stdout.split() == [str(installed / "kdbench/__init__.py"), str(installed / "kdbench/suite/shipped")]


def test_it_carries_every_suite_and_preset(installed: Path) -> None:
    carried = {path.relative_to(installed / "kdbench/suite/shipped") for path in installed.rglob("shipped/**/*.yaml")}
    assert carried == {path.relative_to(ROOT / "suites") for path in (ROOT / "suites").rglob("*.yaml")}


def test_suites_are_found_by_name(installed: Path, tmp_path: Path) -> None:
    listed = inside(installed, tmp_path, "-m", "kdbench", "suites")
    assert listed.returncode == 0, listed.stderr
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {path.stem for path in (ROOT / "suites").glob("*.yaml")}
    planned = inside(installed, tmp_path, "-m", "kdbench", "plan", "quickstart")
    assert "5 of 5 runs to do" in planned.stdout, planned.stderr
    written = inside(installed, tmp_path, "-m", "kdbench", "new", "suite", "mine")
    assert written.returncode == 0, written.stderr
    assert inside(installed, tmp_path, "-m", "kdbench", "check", "mine.yaml").returncode == 0


def test_a_run_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    """The quickstart, made small, from its name to its leaderboard."""
    done = inside(installed, tmp_path, "-m", "kdbench", "run", "quickstart", "--smoke", "teams=[[]]", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "SMOKE, not publishable" in done.stdout
    assert list((tmp_path / "results/quickstart-smoke").glob("*.json"))
