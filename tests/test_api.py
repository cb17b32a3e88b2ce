"""The package as it is imported: what it exports, and what it does not import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import kdbench

HEAVY = ("torch", "numpy", "pydantic", "pandas", "rich", "typer", "yaml")


def test_importing_is_cheap() -> None:
    code = f"import sys, kdbench\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_loading_results_imports_no_torch() -> None:
    code = "import sys, kdbench\nkdbench.load\nkdbench.Results\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", kdbench.__all__)
def test_all_that_is_exported_is_there_and_documented(name: str) -> None:
    exported = getattr(kdbench, name)
    assert name in dir(kdbench)
    if inspect.isclass(exported) or inspect.isfunction(exported):
        assert inspect.getdoc(exported)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kdbench' has no attribute 'lod'"):
        kdbench.lod  # noqa: B018


def test_the_functions_of_the_api_keep_their_names() -> None:
    """A module called kdbench.run or kdbench.load would take their place once it is imported."""
    import kdbench.cli
    import kdbench.engines.suite_run
    import kdbench.runs.execute

    assert all(inspect.isfunction(one) for one in (kdbench.run, kdbench.load, kdbench.evaluate))
