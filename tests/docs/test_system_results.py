"""What pages say of a system's suite: made from records, of which some are missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docs.tools.blocks import filled
from docs.tools.system_results import sections, system_result
from docs.tools.systems import System
from kdbench.records.profiles import write_profile
from tests.support.made_boards import profile
from tests.support.rankings import row, write
from tests.support.toys import plugged, retrieval_spec

SYSTEM = System(
    "Pebbles",
    "all of it",
    ("student toy",),
    "tiny",
    row="small · a+b · good",
    baselines=("larger · a+b · equal", "small · a+b · bad", "small · a+b · same", "small · no distillation"),
)


def folder(results: Path, without: str = "", **task: Any) -> str:
    """Records of two students: `good` is far better than `equal` of the other student, `bad` better still."""
    levels = {
        ("larger", "equal"): 4.0,
        ("small", "good"): 2.5,
        ("small", "bad"): 1.5,
        ("small", "same"): 2.5,
        ("small", "none"): 4.0,
    }
    for draw, ((student, name), level) in enumerate(levels.items()):
        spec = {"student": plugged("toy", student, width=len(student)), **task}
        team = () if name == "none" else ("a", "b")
        if name != without:
            for run in row(name, level, range(4), draw=draw, spec=spec, team=team):
                write(results, run)
    return str(results / "tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = folder(tmp_path_factory.mktemp("results"))
    one = profile(plugged("toy", "small", width=len("small")), {1: 1.0}, {1: 1.0})
    write_profile(Path(found).parent, "tiny", one)
    return found


def test_the_words_say_where_it_helps_and_where_it_does_not(made: str) -> None:
    text = sections([SYSTEM], made)
    assert text.startswith("## Pebbles\n\n**small · a+b · good** against 4 baselines: significantly better than 2, ")
    assert "significantly worse than 1, undecided against 1." in text
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line.partition(":")[0] for line in lines] == [
        "- Significantly better than larger · a+b · equal",
        "- Significantly worse than small · a+b · bad",
        "- Undecided against small · a+b · same",
        "- Significantly better than small · no distillation",
    ]
    assert "RSUM (95 % interval +" in lines[0]
    assert "RSUM (95 % interval -" in lines[1]


def test_the_table_has_every_row_of_every_student(made: str) -> None:
    heads, _, *lines = [line.strip("| ").split(" | ") for line in sections([SYSTEM], made).splitlines() if line.startswith("|")]
    assert heads == ["row", "n", "RSUM", "gain", "against the baseline", "params (M)", "GFLOPs"]
    assert lines[0][0] == "small · a+b · bad"
    found = {line[0]: line for line in lines}
    assert len(found) == 5
    assert found["larger · a+b · equal"][3:] == ["–", "the baseline", "–", "–"]  # it has no profile
    assert found["small · a+b · good"][4:] == ["significantly better", "2", "2e-09"]
    assert found["small · no distillation"][4] == "undecided"


def test_systems_of_one_suite_share_a_table(made: str) -> None:
    other = replace(SYSTEM, name="Gravel", row="small · a+b · bad", baselines=("small · a+b · good",))
    text = sections([SYSTEM, other], made)
    assert text.count("| row | n |") == 1
    assert text.index("## Pebbles") < text.index("## Gravel") < text.index("| row | n |")
    assert "**small · a+b · bad** against 1 baseline: significantly better than 1." in text


def test_a_suite_of_no_system(made: str) -> None:
    with pytest.raises(AssertionError, match="no system has a row in the suite tiny"):
        system_result(made)


def test_a_metric_that_is_better_when_lower(tmp_path: Path) -> None:
    text = sections([SYSTEM], folder(tmp_path, task=retrieval_spec(1, 5, 10, primary="log_rank")))
    assert "- Significantly better than larger · a+b · equal: +" in text
    assert "positive: a lower mean log-rank" in text


def test_rows_without_records_are_named(tmp_path: Path) -> None:
    text = sections([SYSTEM], folder(tmp_path / "one", without="bad"))
    assert "against 3 baselines" in text
    assert "Without records so far: small · a+b · bad." in text
    text = sections([SYSTEM], folder(tmp_path / "two", without="good"))
    assert "Without records so far: small · a+b · good." in text
    assert "| small · a+b · bad |" in text


def test_a_suite_without_records_has_no_section() -> None:
    page = "<!-- generated: system_result nowhere/puma -->\nold\n<!-- end -->"
    assert "old" not in filled(page, {"system_result": system_result})
    assert system_result("nowhere/puma") == ""
