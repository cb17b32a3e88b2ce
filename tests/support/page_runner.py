"""Runs the code blocks of a page in order, in one folder and one Python namespace."""

from __future__ import annotations

import importlib
import io
import os
import shlex
import shutil
import sys
import tomllib
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kdbench.cli import main
from kdbench.plugins.loading import installed
from tests.support.pages import RUNNABLE, Block
from tests.support.paths import ROOT


class Page:
    """The folder, the namespace and the packages that the blocks of one page share.

    Commands run in this process. `pip install -e FOLDER` is stood in for: the folder goes on the path, with the metadata that
    pip would write. `suites` and `results` are copies of the repository's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}
        self.site = folder / "site-packages"

    @contextmanager
    def entered(self) -> Iterator[Page]:
        """In the folder, with a cache of its own; the path, the modules and the plugins are restored afterwards."""
        path, modules, folder = list(sys.path), set(sys.modules), Path.cwd()
        os.chdir(self.folder)
        shutil.copytree(ROOT / "suites", "suites")
        shutil.copytree(ROOT / "results", "results")
        self.site.mkdir()
        sys.path.insert(0, str(self.site))
        try:
            with (
                patch.dict(os.environ, {"KDBENCH_CACHE": str(self.folder / "cache"), "COLUMNS": "150"}),
                patch.object(warnings, "showwarning", warnings.showwarning),  # which commands replace
            ):
                yield self
        finally:
            os.chdir(folder)
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if name.startswith(("kdbench_", "page")) and not name.startswith("kdbench_plugins"):
                    del sys.modules[name]
            installed.cache_clear()

    def run(self, block: Block) -> None:
        """Raises AssertionError that says what the block printed where it does not end as it should."""
        if block.file:
            target = self.folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text + "\n", encoding="utf-8")
        elif block.no_test or block.language not in RUNNABLE:
            return
        elif block.language == "python":
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)  # noqa: S102
        else:
            commands = [words for line in _lines(block.text) if (words := shlex.split(line, comments=True))]
            for place, words in enumerate(commands):
                code, printed = self._command(words)
                expected = block.exit if place == len(commands) - 1 else 0
                assert code == expected, f"{shlex.join(words)}: exit code {code}, expected {expected}\n{printed}"

    def _command(self, words: list[str]) -> tuple[int, str]:
        match words:
            case ["kdbench", *rest]:
                return _kdbench(rest)
            case ["pip", "install", "-e", package]:
                self._install(Path(package))
                return 0, ""
        raise AssertionError(f"tests cannot run {shlex.join(words)!r}; mark the block with <!-- no-test: reason -->")

    def _install(self, package: Path) -> None:
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = self.site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        points = "\n".join(f"{name} = {module}" for name, module in project["entry-points"]["kdbench"].items())
        (info / "entry_points.txt").write_text(f"[kdbench]\n{points}\n")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
        sys.path.insert(0, str(package.resolve()))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(self.site), *sys.path[:1], os.environ.get("PYTHONPATH", "")])
        importlib.invalidate_caches()
        installed.cache_clear()


def _kdbench(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command, and what it printed. `> FILE` at its end takes the output."""
    target = Path(arguments[-1]) if len(arguments) > 1 and arguments[-2] == ">" else None
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    given = ["kdbench", *(arguments[:-2] if target else arguments)]
    with (
        patch.object(sys, "argv", given),
        patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        except Exception:
            traceback.print_exc(file=err)
            code = -1
    if target:
        target.write_text(out.getvalue(), encoding="utf-8")
    assert isinstance(code, int)
    return code, out.getvalue() + err.getvalue()


def _lines(text: str) -> list[str]:
    """Commands, a backslash at a line's end joining it with the next."""
    return text.replace("\\\n", " ").splitlines()
