"""The gallery of runs from their records."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError, Offer, TeacherData, Towers
from kdbench.deploy.gallery.of_runs import gallery_page
from kdbench.records.files import record_path, write_record
from kdbench.runs.execute import execute
from tests.support.gallery_runs import Trained, trained
from tests.support.toys import Sage, plugged, run_context, run_spec, toy


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


def test_teachers_that_were_not_evaluated_are_evaluated_here(tmp_path: Path) -> None:
    runs = trained()
    context = runs.copied(tmp_path)
    teacher = runs.records["b"]
    record_path(context.results, teacher.spec.suite, teacher.run_id).unlink()
    one = runs.records["equal 0"]
    page = gallery_page([record_path(context.results, one.spec.suite, one.run_id)], 2, context.plugins, context.cache)
    answers = page.sections[0].cards[0].answers
    assert page.notes == ["evaluated for this page, as the suite does not (`references:`): b (teacher)"]
    whole = gallery_page([path_of(runs, "equal 0")], 2, runs.context.plugins, runs.context.cache)
    assert [(answer.model, answer.figure) for answer in answers] == [
        (answer.model, answer.figure) for answer in whole.sections[0].cards[0].answers
    ]
    assert [len(answer.top) for answer in answers] == [5, 5, 5]


class Learner(Sage):
    """A teacher that trains on its data."""

    def towers(self, data: TeacherData) -> Towers:
        recipe = {"epochs": 1, "batch_size": 8, "lr": 0.01, "precision": "fp32", "seed": 0}
        data.fit("learner", lambda: toy(), recipe)
        return super().towers(data)


def test_no_teacher_is_trained_to_be_looked_at(tmp_path: Path) -> None:
    context = run_context(tmp_path, teachers=[Offer("learner", Learner)])
    record = execute(run_spec([plugged("learner", "c")]), context)
    path = record_path(context.results, record.spec.suite, record.run_id)
    page = gallery_page([path], 2, context.plugins, context.cache)
    assert [answer.model for answer in page.sections[0].cards[0].answers] == ["student", "c (teacher)"]
    entries = [entry for entry in context.cache.entries() if not isinstance(entry, Exception)]
    context.cache.remove([entry for entry in entries if entry.kind == "teachers"])
    page = gallery_page([path], 2, context.plugins, run_context(tmp_path).cache)
    assert [answer.model for answer in page.sections[0].cards[0].answers] == ["student"]
    assert page.notes == ["c (teacher): not shown beside the student, as the cache does not hold what it was trained to"]


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
