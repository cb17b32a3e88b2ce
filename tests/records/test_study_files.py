"""Summaries of studies among the records, good ones and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.records.study_files import read_studies
from kdbench.records.study_summary import StudySummary, TrialSummary, write_pareto, write_summary
from kdbench.records.verify.study_summaries import contradiction
from kdbench.suite.sweep import Settings
from tests.support.made_records import edit
from tests.support.toys import run_spec


def study(name: str = "toy-0123456789ab", **changes: Any) -> StudySummary:
    fields: dict[str, Any] = {
        "study": name,
        "digest": "0123456789ab",
        "suite": "toys",
        "label": "toy",
        "spec": run_spec(),
        "space": (),
        "settings": Settings(trials=3, metric="rsum"),
        "goals": ["rsum"],
        "directions": ["maximize"],
        "best": 1,
        "trials": [
            TrialSummary(number=0, state="pruned", params={"train.lr": 0.1}),
            TrialSummary(number=1, state="complete", params={"train.lr": 0.2}, values=[7.5]),
            TrialSummary(number=2, state="complete", params={"train.lr": 0.3}, values=[7.5]),
        ],
    }
    return StudySummary(**fields | changes)


def test_summaries_are_found_in_folders_and_each_once(tmp_path: Path) -> None:
    one, other = study(), study("toy-ba9876543210")
    for summary in (one, other):
        path = write_summary(tmp_path, summary)
    assert write_pareto(tmp_path, summary).name == f"{summary.study}.pareto.json"
    (tmp_path / "toys/0123456789ab.json").write_text("{}")  # a record, or what claims to be one
    write_summary(tmp_path / "copied", one)
    for paths in ([tmp_path], [tmp_path / "toys", tmp_path], [path.parent], [tmp_path / "toys/sweep", tmp_path / "copied"]):
        found, notes = read_studies(paths)
        assert {summary.study: summary for summary in found} == {one.study: one, other.study: other}
        assert len(found) == 2
        assert notes == []
    assert read_studies([path]) == ([], [])


def test_what_is_wrong_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    good = study()
    first = write_summary(tmp_path / "a", good)
    second = write_summary(tmp_path / "b", study(label="another"))
    broken = first.with_name("broken.json")
    broken.write_bytes(first.read_bytes())
    edit(broken, lambda summary: summary.update(trials="many"))
    torn = first.with_name("torn.json")
    torn.write_text(first.read_text()[:100])
    wrong = write_summary(tmp_path / "a", study("wrong", best=0))
    found, notes = read_studies([tmp_path])
    assert found == [good]
    assert [note.split(": ")[:2] for note in notes] == [["left out", str(path)] for path in (broken, torn, wrong, second)]
    assert "not a study's summary: trials" in notes[0]
    assert "best: found 0, expected 1" in notes[2]
    assert notes[3].endswith(f"it differs from the same study's summary in {first}")


TRIALS = study().model_dump()["trials"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spec": run_spec(team=[]).replace(train=None)}, "spec.train: found nothing"),
        ({"goals": []}, "directions: found 1 for 0 goals"),
        ({"goals": ["rsum", "latency"]}, "directions: found 1 for 2 goals"),
        ({"trials": [*TRIALS, TRIALS[0]]}, "trials: a number occurs twice"),
        (
            {"trials": [TRIALS[1] | {"values": [1.0, 2.0]}]},
            "trials: 1 is complete with values [1.0, 2.0], expected 1 below 1e+15",
        ),
        ({"trials": [TRIALS[1] | {"number": -1}]}, "trials: found the number -1"),
        ({"importance": {"train.lr": 1.5}}, "importance: found 1.5 of train.lr"),
        ({"best": 2}, "best: found 2, expected 1, which follows from the trials"),
        ({"best": None}, "best: found None, expected 1"),
        ({"trials": TRIALS[:1]}, "best: found 1, expected None"),
        ({"pareto": [1, 0]}, "pareto: 0 is not a complete trial"),
    ],
)
def test_what_does_not_agree_with_itself(changes: dict[str, Any], told: str) -> None:
    assert contradiction(study()) == ""
    assert contradiction(study(**changes)).startswith(told)


@pytest.mark.parametrize(
    "damage", [{"spec": {}}, {"settings": {"metric": "rsum"}}, {"space": [{"path": "train.lr"}]}, {"format": 1}]
)
def test_what_is_no_summary_is_left_out(damage: dict[str, Any], tmp_path: Path) -> None:
    path = write_summary(tmp_path, study())
    (part,) = damage
    edit(path, lambda summary: summary.update(damage))
    found, (note,) = read_studies([tmp_path])
    assert found == []
    assert note.startswith(f"left out: {path}: not a study's summary: {part}")
