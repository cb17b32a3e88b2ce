"""The gallery of runs from their records."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.deploy.gallery.of_runs import gallery_page
from kdbench.records.files import record_path, write_record
from kdbench.runs.execute import execute
from tests.support.gallery_runs import Trained, trained
from tests.support.toys import plugged, run_spec


def path_of(runs: Trained, name: str) -> Path:
    record = runs.records[name]
    return record_path(runs.context.results, record.spec.suite, record.run_id)


def test_a_student_with_its_teachers_beside_it() -> None:
    runs = trained()
    page = gallery_page([path_of(runs, "equal 0")], 3, runs.context.plugins, runs.context.cache)
    record = runs.records["equal 0"]
    assert page.title == record.label
    assert page.lead.startswith("RSUM ") or "RSUM" in page.lead
    assert (page.notes, page.licence) == ([], "CC0")
    answers = page.sections[0].cards[0].answers
    assert [answer.model for answer in answers] == ["student", "a (teacher)", "b (teacher)"]
    assert all(len(answer.top) == 5 for answer in answers)


def test_several_runs_and_one_without_teachers() -> None:
    runs = trained()
    page = gallery_page([path_of(runs, name) for name in ("alone", "random 1")], 2, runs.context.plugins, runs.context.cache)
    labels = [runs.records[name].label for name in ("alone", "random 1")]
    assert [answer.model for answer in page.sections[0].cards[0].answers] == [*labels, "a (teacher)", "b (teacher)"]
    assert [fact.partition(": ")[0] for fact in page.facts] == labels
    alone = gallery_page([path_of(runs, "alone")], 2, runs.context.plugins, runs.context.cache)
    assert [answer.model for answer in alone.sections[0].cards[0].answers] == ["student"]


def test_teachers_that_were_not_evaluated_are_named(tmp_path: Path) -> None:
    runs = trained()
    context = runs.copied(tmp_path)
    teacher = runs.records["b"]
    record_path(context.results, teacher.spec.suite, teacher.run_id).unlink()
    one = runs.records["equal 0"]
    page = gallery_page([record_path(context.results, one.spec.suite, one.run_id)], 2, context.plugins, context.cache)
    assert [answer.model for answer in page.sections[0].cards[0].answers] == ["student", "a (teacher)"]
    assert page.notes == ["teachers not shown, as they were not evaluated themselves (`references:` in the suite): b"]


def test_runs_that_cannot_be_shown(tmp_path: Path) -> None:
    runs = trained()
    context = runs.copied(tmp_path)
    failed = runs.records["random 0"].replace(status="failed", reason="no memory", metrics={})
    path = write_record(context.results, failed)
    with pytest.raises(KdbenchError, match=f"run {failed.run_id} .* cannot be shown"):
        gallery_page([path], 2, context.plugins, context.cache)
    other = execute(run_spec([], dataset=plugged("beads", seed=4)), context)
    one = runs.records["equal 0"]
    paths = [record_path(context.results, record.spec.suite, record.run_id) for record in (one, other)]
    with pytest.raises(KdbenchError, match="different test splits"):
        gallery_page(paths, 2, context.plugins, context.cache)
