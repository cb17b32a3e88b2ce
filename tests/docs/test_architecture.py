"""docs/architecture.md names rooms and files that exist, and answers ten questions in two steps at most."""

from __future__ import annotations

import re

from docs.tools import package_graph
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_named_files_exist() -> None:
    named = re.findall(r"`((?:kdbench|plugins|tests|docs|suites)/[\w/.-]+)`", PAGE)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_ten_questions_with_two_steps_at_most() -> None:
    table = PAGE.partition("## A reader's test")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) == 10
    for row in rows:
        question, *steps = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert question.endswith("?")
        assert 1 <= sum(len(re.findall(r"`[^`]+`", step)) for step in steps) <= 2, question


def test_the_rooms_are_the_layers() -> None:
    layers = package_graph.layers(ROOT / "pyproject.toml")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert [(int(layer), name) for layer, name in rows] == [
        (depth, name) for depth, layer in enumerate(layers, 1) for name in layer
    ]


def test_packages_import_each_other_in_no_circle() -> None:
    package_graph.check_no_circle(package_graph.packages())
