"""Nearest names, counts, and exceptions in one line."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from kdbench.errors import LESS_MEMORY, SuiteError, counted, nearest, quoted, unexpected


def test_exhausted_memory_says_what_to_lower() -> None:
    cpu = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4398046511104 bytes")
    gpu = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")  # as torch's is called
    for error in (MemoryError(), cpu, gpu):
        assert unexpected(error) == f"{type(error).__name__}: {error}; the memory is exhausted: {LESS_MEMORY}"
    assert unexpected(ValueError("x")) == "ValueError: x"


@pytest.mark.parametrize(
    ("name", "known", "clause"),
    [
        ("eqaul", ["fixed", "equal", "random"], "did you mean 'equal'?"),
        ("zebra", ["fixed", "equal"], "known: equal, fixed"),
        ("c", ["C", "normalize"], "did you mean 'C'?"),
        ("zebra", [], ""),
        (3, ["3", "4"], "did you mean '3'?"),
    ],
)
def test_nearest(name: object, known: list[str], clause: str) -> None:
    assert nearest(name, known) == clause


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "seed", "1 seed"),
        (0, "seed", "0 seeds"),
        (1000, "run", "1,000 runs"),
        (2, "study", "2 studies"),
        (2, "day", "2 days"),
        (2, "process", "2 processes"),
    ],
)
def test_counted(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said


def test_an_exit_is_placed_where_it_is_called() -> None:
    """Also if a library has put a function of its own in place of sys.exit, as wandb does."""

    def exit(code: object) -> None:
        raise SystemExit(code)

    with pytest.raises(SystemExit) as caught:
        exit("no licence")
    line = caught.traceback[0].lineno + 1
    assert quoted(caught.value) == f"raised SystemExit: no licence (test_errors.py, line {line})"


def test_a_package_is_named_where_its_file_has_the_name_that_many_have(tmp_path: Path) -> None:
    file = tmp_path / "mine" / "__init__.py"
    file.parent.mkdir()
    file.write_text("\n(1).weights")
    with pytest.raises(AttributeError) as caught:
        runpy.run_path(str(file))
    assert quoted(caught.value).endswith("(mine/__init__.py, line 2)")


def test_an_error_can_always_be_printed() -> None:
    """Found by fuzzing: half of an emoji as a key of a suite, given twice."""
    assert str(SuiteError("suite.yaml:1: \ud83d is given twice; 🍕")) == r"suite.yaml:1: \ud83d is given twice; 🍕"
