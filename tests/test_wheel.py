"""The built wheels, of kdbench and of a plugin, in an environment of their own: suites come with it, no checkout is needed.

The heavy dependencies are lent by this environment through a path file, which does not lend its kdbench: an editable install is
itself a path file, and those are read in an environment's own folder only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from tests.support.patience import PATIENCE

VARIABLES = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # which may lead to this kdbench


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment into which both distributions are installed."""
    folder = tmp_path_factory.mktemp("wheel")
    made, wheels = folder / "environment", folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run([*pip, *build, str(ROOT), str(ROOT / "plugins/example")], check=True)
    files = [str(path) for path in wheels.glob("*.whl")]
    assert len(files) == 2
    install = [*pip, "--python", str(made), "install", "--no-deps", "--no-index", *files]
    subprocess.run(install, check=True, env=VARIABLES)
    (site(made) / "lent.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    return made


def site(environment: Path) -> Path:
    (own,) = environment.glob("lib/python*/site-packages")
    return own


def inside(environment: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = VARIABLES | {"COLUMNS": "200", "KDBENCH_CACHE": str(cwd / "cache")}
    program = str(environment / "bin" / command[0])
    return subprocess.run([program, *command[1:]], cwd=cwd, env=variables, capture_output=True, text=True, timeout=PATIENCE)


def test_it_is_the_wheel_that_runs(environment: Path, tmp_path: Path) -> None:
    ask = "import kdbench; from kdbench.suite import shipped; print(kdbench.__file__, shipped.folder())"
    done = inside(environment, tmp_path, "python", "-c", ask)
    own = site(environment) / "kdbench"
    assert done.stdout.split() == [str(own / "__init__.py"), str(own / "suite/shipped")], done.stderr


def test_it_carries_every_suite_and_preset(environment: Path) -> None:
    shipped = site(environment) / "kdbench/suite/shipped"
    carried = {path.relative_to(shipped) for path in shipped.rglob("*.yaml")}
    assert carried == {path.relative_to(ROOT / "suites") for path in (ROOT / "suites").rglob("*.yaml")}


def test_suites_are_found_by_name(environment: Path, tmp_path: Path) -> None:
    listed = inside(environment, tmp_path, "kdbench", "suites")
    assert listed.returncode == 0, listed.stderr
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {path.stem for path in (ROOT / "suites").glob("*.yaml")}
    planned = inside(environment, tmp_path, "kdbench", "plan", "quickstart")
    assert "5 of 5 runs to do" in planned.stdout, planned.stderr
    written = inside(environment, tmp_path, "kdbench", "new", "suite", "mine")
    assert written.returncode == 0, written.stderr
    assert inside(environment, tmp_path, "kdbench", "check", "mine.yaml").returncode == 0


def test_a_run_needs_no_checkout(environment: Path, tmp_path: Path) -> None:
    """The quickstart, made small, from its name to its leaderboard, under the strategy of the plugin."""
    listed = inside(environment, tmp_path, "kdbench", "plugins", "strategy").stdout
    assert "loudest" in listed
    assert "kdbench-example:loudest" in listed
    data = "datasets=[{use: flickr30k, miniature: true, size: 48}]"
    small = ("--smoke", data, "teams=[[lite0, lite2]]", "strategies=[loudest]", "--jobs", "1")
    done = inside(environment, tmp_path, "kdbench", "run", "quickstart", *small)
    assert done.returncode == 0, done.stderr
    assert "SMOKE, not publishable" in done.stdout
    assert "loudest" in done.stdout
    assert list((tmp_path / "results/quickstart-smoke").glob("*.json"))
