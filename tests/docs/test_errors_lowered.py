"""The table of errors in percent of those without teachers, made from records; ranks stand in for errors."""

from __future__ import annotations

import pytest

from docs.tools.errors_lowered import lowered
from kdbench.records.files import write_record
from kdbench.records.record import Outcome
from tests.support.rankings import changed, row, write

LEVELS = {"none": 4.0, "good": 2.5, "same": 4.0}
METRICS = ("log_rank",)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The cells of each row, and the lines below the table."""
    results = tmp_path_factory.mktemp("results")
    means = {}
    for draw, (name, level) in enumerate(LEVELS.items()):
        runs = row(name, level, range(4), draw=draw, team=() if name == "none" else ("a", "b"))
        means[name] = sum(run.record.metrics["log_rank"] for run in runs) / len(runs)
        for run in runs:
            write(results, run)
    for run in row("teacher", 2.0, [0], role="reference"):
        write(results, run)
    for name, reason in (("one", "it reads no logits"), ("other", "it reads no logits"), ("third", "it needs a bank")):
        kept = changed(row(name, seeds=[0])[0], status="skipped", reason=reason).record
        write_record(results, kept.replace(**Outcome().model_dump()))
    text = lowered(str(results / "tiny"), METRICS)
    found = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line}
    return found | {"below": text.splitlines()[-3:], "means": [f"{100 * (1 - means['good'] / means['none']):+.1f}"]}


def test_a_row_is_told_against_its_student_without_teachers(lines: dict[str, list[str]]) -> None:
    assert lines["row"] == ["row", "n", "mean log-rank", "lower by (%)", "finding"]
    assert lines["toy · no distillation"][3:] == ["–", "the baseline"]
    percent, _, interval = lines["toy · a+b · good"][3].partition(" ")
    assert [percent] == lines["means"]
    low, high = (float(end) for end in interval.strip("()").split(" to "))
    assert 0 < low < float(percent) < high
    assert lines["toy · a+b · good"][4] == "significantly better"
    assert lines["toy · a+b · same"][4] == "undecided"


def test_teachers_have_an_error_alone(lines: dict[str, list[str]]) -> None:
    assert lines["teacher · teacher itself"][3:] == ["–", "–"]


def test_what_was_skipped_is_there_with_its_reason(lines: dict[str, list[str]]) -> None:
    assert lines["below"] == [
        "",
        "- toy · a+b · third: it needs a bank",
        "- toy · a+b · one, toy · a+b · other: it reads no logits",
    ]
