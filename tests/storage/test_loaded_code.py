"""Digests are those of the source that a process executes: edits around an import are noticed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from itertools import count
from pathlib import Path

import pytest

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.storage import loaded_code
from kdbench.storage.code_digest import code_digest, forget_code
from kdbench.storage.loaded_code import check_loaded

NUMBERS = count()
STRATEGY = """
from kdbench import Offer, hookimpl
class Own:
    def weigh(self, signal):
        from . import late
        return late.VALUE
@hookimpl
def kdbench_strategies():
    return [Offer("own", Own, "of its author")]
"""


class Written:
    """A plugin package of an author; `late` is imported when a strategy weighs."""

    def __init__(self, root: Path) -> None:
        self.name = f"edited{next(NUMBERS)}"
        self.folder = root / self.name
        self.folder.mkdir()
        self.write(__init__=STRATEGY, late="VALUE = 1\n")

    def write(self, **texts: str) -> None:
        for module, text in texts.items():
            (self.folder / f"{module}.py").write_text(text)

    def load(self) -> Plugins:
        importlib.invalidate_caches()
        return Plugins().load([EntryPoint("own", self.name, "kdbench")])


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(loaded_code, "_noted", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two edits within a second have one time
    forget_code()
    yield Written(tmp_path)
    forget_code()


def digest(plugins: Plugins) -> str:
    return code_digest([plugins.find("strategy", "own").offer.build])


def test_an_edit_after_loading_leaves_the_digest_of_what_was_loaded(written: Written) -> None:
    before = digest(written.load())
    forget_code()
    plugins = written.load()
    written.write(__init__=STRATEGY + "# edited\n")
    assert digest(plugins) == before
    check_loaded()


def test_an_edit_while_a_plugin_is_imported_sets_it_aside(written: Written) -> None:
    edit = "import pathlib\npath = pathlib.Path(__file__)\npath.write_text(path.read_text() + '#')\n"
    written.write(__init__=STRATEGY + edit)
    plugins = written.load()
    assert plugins.offers("strategy") == {}
    assert "has changed while it was imported" in plugins.broken["unknown:own"]


def test_an_edit_before_a_module_is_imported_late_is_refused(written: Written) -> None:
    plugins = written.load()
    before = digest(plugins)
    check_loaded()
    written.write(late="VALUE = 2\n")
    assert plugins.find("strategy", "own").offer.build().weigh(None) == 2
    assert digest(plugins) == before  # that of VALUE = 1
    with pytest.raises(KdbenchError, match=r"late\.py: has changed since this process loaded edited.*start kdbench"):
        check_loaded()


def test_an_edit_after_a_module_was_imported_late_is_none_of_this_process(written: Written) -> None:
    plugins = written.load()
    assert plugins.find("strategy", "own").offer.build().weigh(None) == 1
    check_loaded()
    written.write(late="VALUE = 2\n")
    check_loaded()
    assert plugins.find("strategy", "own").offer.build().weigh(None) == 1


def test_an_edit_of_what_is_never_imported_stops_nothing(written: Written) -> None:
    """As when the author writes a second strategy while a suite runs the first."""
    written.load()
    written.write(late="VALUE = 2\n")
    check_loaded()


def test_digests_that_are_read_again_are_not_those_of_old_code(written: Written) -> None:
    """As when `kdbench.run` with the engine `in_process` is called again in a notebook, after an edit."""
    plugins = written.load()
    before = digest(plugins)
    written.write(__init__=STRATEGY + "# edited\n")
    forget_code()
    assert digest(plugins) != before
    with pytest.raises(KdbenchError, match=r"__init__\.py: has changed since"):
        check_loaded()
    del sys.modules[written.name]  # as Python started again
    written.load()
    check_loaded()
