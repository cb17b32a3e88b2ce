"""The digest of a plugin's source: it changes with the author's code that the plugin imports, and with nothing else."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.storage.code_digest import code_digest, forget_code
from kdbench.storage.imported_modules import parsed
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal

NUMBERS = count()
# How module `n` of a package may import module `m`, `{p}` being the package.
FORMS = (
    "import {p}.m{m}",
    "from {p} import m{m}",
    "from . import m{m}",
    "from .m{m} import VALUE",
    "from {p}.m{m} import *",
    "def late():\n    from {p} import m{m}",
    "if False:\n    import {p}.m{m} as other",
    "import importlib\ndef late():\n    importlib.import_module('{p}.m{m}')",
)


def package(folder: Path, imports: dict[int, dict[int, int]], modules: int) -> str:
    """Writes a package of modules m0, m1, … in which `imports[n][m]` is the form by which n imports m; returns its name."""
    name = f"authored{next(NUMBERS)}"
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    for n in range(modules):
        lines = [FORMS[form].format(p=name, m=m) for m, form in imports.get(n, {}).items()]
        (folder / name / f"m{n}.py").write_text("\n".join([f"VALUE = {n}", *lines]) + "\n")
    importlib.invalidate_caches()
    return name


def digest(module: str) -> str:
    forget_code()
    return code_digest([ModuleType(module)])


def reached(imports: dict[int, dict[int, int]], start: int = 0) -> set[int]:
    """The oracle: all modules that one imports, directly or not."""
    found, waiting = set[int](), [start]
    while waiting:
        n = waiting.pop()
        if n not in found:
            found.add(n)
            waiting += imports.get(n, {})
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


GRAPHS = st.dictionaries(st.integers(0, 4), st.dictionaries(st.integers(0, 4), st.integers(0, len(FORMS) - 1), max_size=3))


def test_an_edit_is_seen_where_it_is_imported_and_only_there(folder: Path) -> None:
    @settings(max_examples=40)
    @given(GRAPHS, st.integers(0, 4))
    def holds(imports: dict[int, dict[int, int]], edited: int) -> None:
        name = package(folder, imports, 5)
        before = digest(f"{name}.m0")
        with (folder / name / f"m{edited}.py").open("a") as stream:
            stream.write("VALUE = -1\n")
        assert before
        assert (digest(f"{name}.m0") != before) == (edited in reached(imports))

    holds()


def test_a_digest_is_that_of_the_code_that_the_process_has_loaded(folder: Path) -> None:
    name = package(folder, {}, 1)
    module = importlib.import_module(f"{name}.m0")
    before = code_digest([module])
    Path(str(module.__file__)).write_text("VALUE = 2\n")
    assert code_digest([module]) == before
    assert digest(f"{name}.m0") != before


def test_lines_end_alike_everywhere(folder: Path) -> None:
    name = package(folder, {}, 1)
    path, before = folder / name / "m0.py", digest(f"{name}.m0")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest(f"{name}.m0") == before


def test_a_file_that_is_no_python_any_more_still_counts(folder: Path) -> None:
    name = package(folder, {0: {1: 0}}, 2)
    found = {digest(f"{name}.m0")}
    for text in ("VALUE = (", "VALUE = ((", "\0"):
        (folder / name / "m1.py").write_text(text)
        found.add(digest(f"{name}.m0"))
    assert len(found) == 4


def test_a_text_with_a_dot_is_no_module_of_a_folder_that_happens_to_lie_here(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = package(folder, {}, 1)
    (folder / name / "m0.py").write_text("TABLE = 'tables.captions'\n")
    before = digest(f"{name}.m0")
    here = tmp_path_factory.mktemp("here")
    (here / "tables").mkdir()
    (here / "tables" / "captions.py").write_text("VALUE = 0\n")
    monkeypatch.syspath_prepend(str(here))
    assert digest(f"{name}.m0") == before


def test_a_version_that_a_build_writes_is_no_code(folder: Path) -> None:
    name = package(folder, {0: {1: 0}}, 2)
    path, found = folder / name / "_version.py", set()
    (folder / name / "m1.py").write_text("from ._version import version\n")
    for version in ("1.0", "1.0+dirty"):
        path.write_text(f"version = {version!r}\n")
        found.add(digest(f"{name}.m0"))
    assert len(found) == 1


def test_a_compiled_module_counts_by_its_bytes(folder: Path) -> None:
    name = package(folder, {0: {1: 0}}, 2)
    compiled = (folder / name / "m1").with_suffix(EXTENSION_SUFFIXES[0])
    compiled.write_bytes(b"one")
    before = digest(f"{name}.m0")
    (folder / name / "m1.py").write_text("VALUE = 2\n")  # its source, which Python does not import
    assert digest(f"{name}.m0") == before
    compiled.write_bytes(b"two")
    assert digest(f"{name}.m0") != before


def test_libraries_count_by_their_version_and_kdbench_by_its_own() -> None:
    assert code_digest([np.linalg, dict, Path, len]) == ""
    assert code_digest([Ammkd, Equal()]) == ""
    assert code_digest([Ammkd], first_party=True) != code_digest([Equal], first_party=True) != ""


def test_a_class_counts_with_those_that_it_inherits_from(folder: Path) -> None:
    name = package(folder, {}, 2)
    (folder / name / "m1.py").write_text("class Base:\n    pass\n")
    (folder / name / "m0.py").write_text("class Own(__import__(__package__ + '.m1', fromlist=['m1']).Base):\n    pass\n")
    own = importlib.import_module(f"{name}.m0").Own
    forget_code()
    before = code_digest([own()])
    (folder / name / "m1.py").write_text("class Base:\n    scale = 2\n")
    forget_code()
    assert before != code_digest([own()]) == code_digest([own])


def test_arguments_of_a_partial_builder_count() -> None:
    def builder(sign: int, other: object = None) -> int:
        return sign if other is None else -sign

    digests = {code_digest([partial(builder, sign=sign)]) for sign in (1, -1)} | {code_digest([builder])}
    assert len(digests) == 3
    assert code_digest([partial(builder, other=object())]) == code_digest([partial(builder, other=object())])


def test_what_has_no_file_has_no_digest() -> None:
    assert code_digest([ModuleType("__main__"), ModuleType("nowhere"), ModuleType("nowhere.at.all")]) == ""
    forget_code()
    assert parsed("gone", Path("/nonexistent/gone.py")) == ("", ())
    assert "nowhere" not in sys.modules
