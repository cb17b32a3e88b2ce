"""The list of mutants fits the sources and the tests. What becomes of the mutants, `make mutants` finds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.every import EVERY
from tests.mutants.kept import Kept
from tests.mutants.mutant import Mutant
from tests.support.paths import ROOT


@pytest.mark.parametrize("one", EVERY, ids=lambda one: f"{one.file}: {one.wrong}")
def test_a_mutant_is_one_wrong_line_that_python_reads(one: Mutant) -> None:
    ast.parse(one.applied((ROOT / one.file).read_text(encoding="utf-8")))
    assert one.old != one.new
    assert "\n" not in one.old + one.new
    assert one.tests


@pytest.mark.parametrize("named", sorted({test for one in EVERY for test in one.tests}))
def test_a_test_that_a_mutant_names_exists(named: str) -> None:
    file, _, function = named.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert functions, f"{file} has no tests"
    assert not function or function in functions, f"{file} has no {function}"


def test_there_are_many_and_none_twice() -> None:
    assert len({one.key for one in EVERY}) == len(EVERY) >= 60


def test_a_mutant_whose_line_has_changed_is_named() -> None:
    one = Mutant("a tie counts", "kdbench/ranks.py", ">=", ">", ("tests/test_ranks.py",))
    assert one.applied("better = scores >= best") == "better = scores > best"
    for text, times in (("better = scores > best", 0), ("(a >= b) & (b >= c)", 2)):
        with pytest.raises(ValueError, match=f"kdbench/ranks.py: found '>=' {times} times; expected it once.*a tie counts"):
            one.applied(text)


def test_results_are_kept_beside_those_of_another_run(tmp_path: Path) -> None:
    first, second = Kept(tmp_path / "kept.json"), Kept(tmp_path / "kept.json")
    first.put("one", "caught")
    second.put("two", "SURVIVED")
    again = Kept(tmp_path / "kept.json")
    assert [again.get(key) for key in ("one", "two", "three")] == ["caught", "SURVIVED", None]
