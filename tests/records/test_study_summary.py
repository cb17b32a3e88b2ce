"""The file of a study, and who reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.plugins.loading import installed
from kdbench.records.files import find_records
from kdbench.records.study_summary import (
    StudySummary,
    TrialSummary,
    read_summary,
    study_path,
    summarised,
    write_pareto,
    write_summary,
)
from kdbench.suite.check import load_suite
from kdbench.suite.study import Study, studies
from kdbench.suite.sweep import Parameter, Settings
from tests.support.made_records import edit
from tests.support.paths import ROOT
from tests.support.toys import run_spec

STUDY = Study(
    spec=run_spec(),
    space=(Parameter(path="train.lr", kind="float", low=0.001, high=0.1),),
    settings=Settings(trials=2, metric="rsum"),
)
SUMMARY = StudySummary.of(
    STUDY,
    best=1,
    trials=[
        TrialSummary(number=0, state="pruned", reason="after epoch 1", params={"train.lr": 0.1}, epochs={1: 2.5}),
        TrialSummary(number=1, state="complete", params={"train.lr": 0.2}, values=[7.5], epochs={1: 3.5, 2: 7.5}),
    ],
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_summary(tmp_path, SUMMARY)
    assert path == study_path(tmp_path, "toys", STUDY.name)
    assert read_summary(path) == SUMMARY == summarised(tmp_path, STUDY)
    assert SUMMARY.best_trial == SUMMARY.trials[1]
    assert SUMMARY.as_study == STUDY
    assert SUMMARY.ids == {"digest": STUDY.digest, "study": STUDY.name, "label": STUDY.label}


def test_it_is_no_record(tmp_path: Path) -> None:
    write_summary(tmp_path, SUMMARY)
    assert find_records([tmp_path]) == []


def test_one_that_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    assert summarised(tmp_path, STUDY) is None
    path = write_summary(tmp_path, SUMMARY)
    edit(path, lambda summary: summary.update(trials="many"))
    assert summarised(tmp_path, STUDY) is None
    with pytest.raises(RecordError, match="not a study's summary: trials"):
        read_summary(path)


def test_a_summary_of_format_1_is_refused(tmp_path: Path) -> None:
    path = write_summary(tmp_path, SUMMARY)
    edit(path, lambda summary: summary.update(format=1))
    with pytest.raises(RecordError) as refused:
        read_summary(path)
    assert str(refused.value) == f"{path}: not a study's summary: format: found 1; expected 2"
    assert summarised(tmp_path, STUDY) is None


def test_the_published_summaries_have_the_ids_that_follow() -> None:
    paths = [path for path in ROOT.glob("results/*/sweep/*.json") if not path.name.endswith(".pareto.json")]
    assert len(paths) >= 7
    for path in paths:
        summary = read_summary(path)
        assert summary.ids == {name: getattr(summary, name) for name in ("digest", "study", "label")}
        assert summary.study == path.stem


def test_the_configurations_that_no_other_beats(tmp_path: Path) -> None:
    summary = SUMMARY.replace(goals=["rsum", "latency"], directions=["maximize", "minimize"], best=None, pareto=[1])
    summary = summary.replace(trials=[SUMMARY.trials[0], SUMMARY.trials[1].replace(values=[7.5, 3.0])])
    path = write_pareto(tmp_path, summary)
    assert path == study_path(tmp_path, "toys", STUDY.name).with_suffix(".pareto.json")
    assert json.loads(path.read_text()) == {
        "study": STUDY.name,
        "goals": ["rsum", "latency"],
        "directions": ["maximize", "minimize"],
        "configurations": [{"trial": 1, "params": {"train.lr": 0.2}, "values": {"rsum": 7.5, "latency": 3.0}}],
    }
    assert summary.pareto_trials == summary.trials[1:]


def test_published_studies_are_found_by_what_they_searched() -> None:
    """A sweep of the suite has nothing left to do."""
    suite = load_suite(ROOT / "suites/emoji-sweep.yaml", installed())
    found = [summarised(ROOT / "results", study) for study in studies(suite)]
    assert len(found) == 7
    assert all(summary and len(summary.trials) == 12 for summary in found)
    assert len({summary.study for summary in found if summary}) == 7
