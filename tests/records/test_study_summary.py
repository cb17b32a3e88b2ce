"""The file of a study, and who reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.records.record import find_records
from kdbench.records.study_summary import StudySummary, TrialSummary, read_summary, study_path, summarised, write_summary

SUMMARY = StudySummary(
    study="toy-0123456789ab",
    digest="0123456789ab",
    suite="toys",
    label="toy",
    spec={},
    space=[],
    settings={},
    goals=["rsum"],
    directions=["maximize"],
    best=1,
    trials=[
        TrialSummary(number=0, state="pruned", reason="after epoch 1", params={"train.lr": 0.1}, epochs={1: 2.5}),
        TrialSummary(number=1, state="complete", params={"train.lr": 0.2}, values=[7.5], epochs={1: 3.5, 2: 7.5}),
    ],
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_summary(tmp_path, SUMMARY)
    assert path == study_path(tmp_path, "toys", "toy-0123456789ab")
    assert read_summary(path) == SUMMARY == summarised(tmp_path, "toys", "toy-0123456789ab")
    assert SUMMARY.best_trial == SUMMARY.trials[1]


def test_it_is_no_record(tmp_path: Path) -> None:
    write_summary(tmp_path, SUMMARY)
    assert find_records([tmp_path]) == []


def test_one_that_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    assert summarised(tmp_path, "toys", "toy-0123456789ab") is None
    path = write_summary(tmp_path, SUMMARY)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trials": "many"}))
    assert summarised(tmp_path, "toys", "toy-0123456789ab") is None
    with pytest.raises(RecordError, match="not a study's summary: trials"):
        read_summary(path)
