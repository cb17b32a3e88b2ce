"""Where modules lie and whose they are, found as Python would, without importing them."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.storage.module_files import authored, file_of, forget_modules, top

FORMS = ("m.py", f"m{EXTENSION_SUFFIXES[0]}", "m/__init__.py", "m/inner.py")


def test_the_file_is_the_one_that_python_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of a source file, a compiled one and a package lie beside each other."""
    monkeypatch.syspath_prepend(str(tmp_path))

    @given(st.sets(st.sampled_from(FORMS)))
    def holds(forms: set[str]) -> None:
        name = "laid_" + "".join(str(int(form in forms)) for form in FORMS)
        package = tmp_path / name
        for form in ("__init__.py", *forms):
            (package / form).parent.mkdir(parents=True, exist_ok=True)
            (package / form).touch()
        importlib.invalidate_caches()
        forget_modules()
        found = file_of(f"{name}.m")
        assert name not in sys.modules
        expected = find_spec(f"{name}.m")  # which imports the package
        del sys.modules[name]
        assert found == (Path(expected.origin) if expected and expected.origin else None)

    holds()


def test_modules_of_libraries_and_of_nowhere_are_no_authors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "of_an_author.py").touch()
    forget_modules()
    assert authored("of_an_author")
    assert authored("kdbench_plugins")  # also where it is installed as a library
    assert [name for name in ("", "__main__", "json", "numpy", "nowhere_at_all") if authored(name)] == []
    assert file_of("nowhere_at_all") is file_of("numpy.nowhere") is None
    assert top("a.b.c") == "a"


def test_what_is_installed_into_a_folder_on_the_path_is_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `pip install --target`; a large one, such as torch, would be parsed at every command."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("copied_package", "own_package"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    for name in ("copied_module", "own_module"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "copied-1.0.dist-info").mkdir()
    record = "copied_package/__init__.py,sha256=0,0\ncopied_module.py,sha256=0,0\ncopied-1.0.dist-info/RECORD,,\n"
    (tmp_path / "copied-1.0.dist-info" / "RECORD").write_text(record)
    (tmp_path / "own-1.0.dist-info").mkdir()  # in editable form
    (tmp_path / "own-1.0.dist-info" / "RECORD").write_text("_own.pth,sha256=0,0\nown-1.0.dist-info/RECORD,,\n")
    forget_modules()
    names = ("copied_package", "copied_module", "own_package", "own_module")
    assert [name for name in names if authored(name)] == ["own_package", "own_module"]
