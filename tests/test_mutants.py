"""The list of mutants fits the sources and the tests. What becomes of the mutants, `make mutants` finds."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.every import EVERY
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
