"""A copy of the repository, in which one mutant after the other is applied and tested."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np  # noqa: F401  for these, each process that tests a mutant need then not wait
import pytest
import scipy.special  # noqa: F401
import torch  # noqa: F401
from hypothesis import Phase, settings

from tests.mutants.mutant import Mutant
from tests.support.paths import ROOT

COPIED = ("kdbench", "plugins", "tests")
LINKED = ("docs", "results", "suites", "CHANGELOG.md", "Makefile", "README.md", "pyproject.toml")  # tests read them
FAILED = 1  # pytest's exit status if tests ran and failed; others mean that nothing was tested


@cache
def _sources() -> dict[str, str]:
    """The sha256 of each file that tests may depend on, by name."""
    paths = [path for folder in COPIED for path in sorted((ROOT / folder).rglob("*.py"))] + [ROOT / "pyproject.toml"]
    return {path.relative_to(ROOT).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


def state(tests: Sequence[str]) -> str:
    """A digest of the sources as these tests see them: other test modules and the lists of mutants are none of it."""
    named = {test.partition("::")[0] for test in tests}
    seen = {name: digest for name, digest in _sources().items() if name in named or not _of_others(name)}
    return sha256(repr(seen).encode()).hexdigest()[:12]


def _of_others(name: str) -> bool:
    return name.startswith("tests/mutants/") or (name.startswith("tests/") and Path(name).name.startswith("test_"))


@dataclass(frozen=True)
class Tested:
    """pytest's exit status and output, and the id of the test that failed."""

    status: int
    output: str
    failed: str


class Tree:
    """The copy in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, symlinks=True)  # with times: what was compiled stays valid
        for name in LINKED:
            (folder / name).symlink_to(ROOT / name)

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """A context in which the mutant is applied."""
        path = self.folder / mutant.file
        text, before = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(mutant.applied(text), encoding="utf-8")
        _forget(path)
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            _forget(path)

    def run(self, tests: Sequence[str]) -> Tested:
        """Runs tests up to the first one that fails."""
        files = output, failed = [self.folder / name for name in ("output.txt", "failed.txt")]
        for path in files:
            path.write_text("", encoding="utf-8")
        child = os.fork()  # of a process that has imported what takes longest, and of kdbench nothing
        if not child:
            status = 70
            try:
                status = self._tested(tests, output, failed)
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        told, first = (path.read_text(encoding="utf-8", errors="replace") for path in files)
        return Tested(os.waitstatus_to_exitcode(ended), told, first)

    def _tested(self, tests: Sequence[str], output: Path, failed: Path) -> int:
        os.chdir(self.folder)
        written = os.open(output, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(written, stream)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("kdbench", "kdbench_plugins", "tests")]:
            del sys.modules[name]
        first = [str(self.folder), str(self.folder / "plugins")]
        sys.path[:0] = first
        os.environ["PYTHONPATH"] = os.pathsep.join([*first, *filter(None, [os.environ.get("PYTHONPATH")])])
        # As in tests/conftest.py, but an example that fails is not made smaller, which takes longer than all the rest.
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", derandomize=True, deadline=None, max_examples=60, database=None, phases=phases)
        arguments = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=mutants", *tests]
        status = int(pytest.main(arguments, plugins=[FirstFailed(failed)]))
        sys.stdout.flush()
        return status


class FirstFailed:
    """Writes the id of the test that failed into a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.path.write_text(report.nodeid, encoding="utf-8")


def _forget(path: Path) -> None:
    """Removes what Python compiled, which it takes for valid if the text is as long and as old as before."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


@contextmanager
def copied() -> Iterator[Tree]:
    """A copy that is removed afterwards."""
    with TemporaryDirectory(prefix="kdbench-mutants-") as folder:
        yield Tree(Path(folder).resolve())
