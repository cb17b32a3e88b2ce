"""What a record says about the code it came from, on checkouts made for the purpose."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kdbench
from kdbench.records.provenance import device_name, host, resolved_device, source, versions

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """`git(…)` in a fresh checkout whose package is committed; nothing of the surrounding git is seen."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))

    def run(*arguments: str) -> str:
        command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, cwd=tmp_path / "checkout", check=True, capture_output=True, text=True).stdout.strip()

    checkout = tmp_path / "checkout"
    for name in ("pkg/__init__.py", "pkg/core.py", "suites/quickstart.yaml", "results/tiny/record.json"):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "--message", "first")
    return run


@pytest.fixture
def checkout(git: Git) -> Path:
    return Path(git("rev-parse", "--show-toplevel"))


def test_a_clean_checkout(git: Git, checkout: Path) -> None:
    found = source(checkout / "pkg")
    assert found == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert len(found["commit"]) == 40


@pytest.mark.parametrize("name", ["pkg/core.py", "suites/quickstart.yaml"])
@pytest.mark.parametrize("staged", [False, True])
def test_a_change_is_seen(name: str, staged: bool, git: Git, checkout: Path) -> None:
    (checkout / name).write_text("2\n")
    if staged:
        git("add", name)
    assert source(checkout / "pkg") == {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_a_deleted_file_is_seen(checkout: Path) -> None:
    (checkout / "pkg/core.py").unlink()
    assert source(checkout / "pkg")["dirty"] is True


@pytest.mark.parametrize("name", ["notes.txt", "pkg/scratch.py", "results/tiny/other.json", "results/tiny/record.json"])
def test_untracked_files_and_results_are_no_change(name: str, checkout: Path) -> None:
    """A run adds records; the next run must not be called dirty for it."""
    (checkout / name).write_text("2\n")
    assert source(checkout / "pkg")["dirty"] is False


def test_a_folder_called_results_elsewhere_is_code(git: Git, checkout: Path) -> None:
    path = checkout / "pkg/results/tables.py"
    path.parent.mkdir()
    path.write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    path.write_text("2\n")
    assert source(checkout / "pkg")["dirty"] is True


@pytest.mark.usefixtures("git")
def test_outside_a_checkout(tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    assert source(folder) == {"commit": None, "dirty": None}


def test_installed_inside_somebody_elses_checkout(checkout: Path) -> None:
    """Their commit says nothing of this package: `.venv` in a project, say."""
    folder = checkout / ".venv/kdbench"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    assert source(folder) == {"commit": None, "dirty": None}


def test_without_git(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    assert source(checkout / "pkg") == {"commit": None, "dirty": None}


def test_what_git_cannot_tell_is_not_called_clean(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status that fails, or takes longer than we wait, is unknown."""
    programs = tmp_path / "programs"
    programs.mkdir()
    wrapper = programs / "git"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = status ] && exit 1\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    found = source(checkout / "pkg")
    assert found["commit"]
    assert found["dirty"] is None


def test_versions() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["kdbench"] == kdbench.__version__
    assert {"torch", "open_clip_torch", "numpy"} <= set(found)


def test_the_host_is_told_apart_but_not_named() -> None:
    found = host()
    assert host() == found
    assert len(found["id"]) == 8
    assert platform.node() not in found.values()
    assert found["cores"] >= 1


def test_the_cpu_has_no_other_name() -> None:
    assert device_name("cpu") == "cpu"


def test_the_device_is_the_one_that_torch_finds() -> None:
    import torch

    assert resolved_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_without_the_driver_of_a_gpu_torch_is_not_asked() -> None:
    code = "import sys; from kdbench.records.provenance import _may_have_gpu, resolved_device; resolved_device('auto');"
    code += "print('torch' in sys.modules, _may_have_gpu())"
    imported, expected = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert imported == expected


def test_provenance_is_cheap() -> None:
    """Versions are read from metadata: nothing is imported for them."""
    code = "import sys; from kdbench.records.provenance import versions, host, source; versions(), host(), source();"
    code += "print([name for name in ('torch', 'numpy', 'open_clip') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
