"""Students evaluated on another dataset than the one they were trained on, from a suite to a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench import Offer, Split, SplitName, TeacherData, Towers
from kdbench.contracts import Site
from kdbench.deploy.export.load import trained_student
from kdbench.engines.session import Session
from kdbench.errors import KdbenchError
from kdbench.plugins import loading
from kdbench.plugins.loading import Plugins
from kdbench.records.files import record_path, recorded
from kdbench.records.reading import read_measured
from kdbench.records.record import Record
from kdbench.records.verify import examined, verify
from kdbench.reports import build
from kdbench.runs import execute as executing
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.learn import learn
from kdbench.runs.once import execute_once
from kdbench.runs.rerun import rerun
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec, TaskDataset
from kdbench.tasks import compositional, judged, zero_shot
from kdbench.tasks.compositional.pairs import accuracies, right_first
from kdbench.tasks.judged.judgments import JudgedSets, measured, ranked
from kdbench.tasks.retrieval.embeddings import encode_split, student_embeddings
from kdbench.tasks.zero_shot.class_vectors import classified
from kdbench.testing.compositional import swapped
from kdbench.testing.judged import judgments_of
from kdbench.training.distributed import Rank
from kdbench_plugins.engines.in_process import InProcess
from tests.support.toys import Beads, Sage, cached, plugged, rank_split, run_spec, toy, toy_plugins

OTHERS = plugged("beads", "others", seed=1, train=2, validation=2, test=40)
CLASSES = plugged("classes", seed=2)
ZERO_SHOT = plugged("zero_shot", top=[1, 5])
SUITE = """\
name: few
datasets: [beads]
students: [toy]
teachers: {a: {use: sage}}
teams: [[], [a]]
references: [a]
objective: [relational_kl]
train: {epochs: 1, batch_size: 8, precision: fp32}
evaluate:
  recall_at: [1, 5]
  also: [{use: beads, name: others, seed: 1}, {use: classes, seed: 2}, {use: swapped}]
"""


class Swapped(Beads):
    """Beads, whose test split has right and wrong captions."""

    def split(self, name: SplitName) -> Split:
        return swapped(super().split(name)) if name == "test" else super().split(name)


class JudgedBeads(Beads):
    @property
    def judgments(self) -> JudgedSets:
        return judgments_of(self.split("test"))


def plugins(**extra: Any) -> Plugins:
    others = [
        Offer("classes", Beads, task="zero_shot"),
        Offer("swapped", Swapped, task="compositional"),
        Offer("judged", JudgedBeads, task="judged"),
    ]
    found = toy_plugins(datasets=others, **extra)
    for task in (zero_shot, compositional, judged):
        found.register(task, f"kdbench:{task.__name__}")
    return found


def where(folder: Path, **extra: Any) -> RunContext:
    return RunContext(plugins(**extra), Cache(folder / "cache"), folder / "results")


def on(spec: RunSpec, classes: bool = False) -> RunSpec:
    """The run that evaluates the student of another one elsewhere."""
    trained_on = TaskDataset(task=spec.task, dataset=spec.dataset)
    task, dataset = (ZERO_SHOT, CLASSES) if classes else (spec.task, OTHERS)
    return spec.replace(task=task, dataset=dataset, trained_on=trained_on)


def student_of(record: Record, context: RunContext) -> Any:
    return trained_student(record, context.plugins, context.cache)


def test_the_students_weights_are_evaluated_on_the_other_test_split(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec(["a"])
    trained, found = execute(trains, context), execute(on(trains), context)
    assert (trained.status, found.status, found.reason) == ("ok", "ok", "")
    split = Beads(seed=1, train=2, validation=2, test=40)
    student = student_of(trained, context)
    expected = rank_split(student, encode_split(cached(tmp_path / "own", split), student, "test"))
    assert found.metrics == expected.metrics([1, 5])
    assert found.sizes == {"images": 80, "captions": 120, "concepts": 40}
    assert found.dataset_digest != trained.dataset_digest
    assert (found.steps, found.best_epoch, found.weights) == (trained.steps, trained.best_epoch, trained.weights)
    assert (found.validation, found.trace_sha256) == ({}, None)
    assert found.timings["train"] == trained.timings["train"]
    assert verify([context.results], context.plugins)[1] == []


def test_zero_shot_by_another_task(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    trained, found = execute(trains, context), execute(on(trains, classes=True), context)
    assert found.sizes == {"images": 20, "classes": 10}
    assert set(found.metrics) == {"acc1", "acc5", "mean_per_class_recall"}
    student, split = student_of(trained, context), Beads(seed=2).split("test")
    with torch.no_grad():
        images = student.module.encode_image(student.images.encode(np.stack(list(split.images)), "cpu")).numpy()
        prompts = student.module.encode_text(student.texts.encode(split.captions, "cpu")).numpy()
    ranks = classified(images, prompts, split.image_concepts, split.caption_concepts)["rank"]
    assert found.metrics["acc1"] == (ranks == 1).mean()
    assert found.metrics["acc5"] == (ranks <= 5).mean()
    assert verify([context.results], context.plugins)[1] == []


def test_right_captions_against_wrong_ones(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    trained = execute(trains, context)
    spec = on(trains, classes=True).replace(task=plugged("compositional"), dataset=plugged("swapped"))
    found = execute(spec, context)
    assert (found.status, found.sizes) == ("ok", {"images": 10, "items": 10})
    student, split = student_of(trained, context), Swapped().split("test")
    with torch.no_grad():
        images = student.module.encode_image(student.images.encode(np.stack(list(split.images)), "cpu")).numpy()
        captions = student.module.encode_text(student.texts.encode(split.captions, "cpu")).numpy()
    answers = right_first(images, captions, split.image_concepts, split.caption_concepts)
    assert found.metrics == accuracies(answers, np.arange(10) % 7)
    assert verify([context.results], context.plugins)[1] == []


def test_positives_by_judgment(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    trained = execute(trains, context)
    found = execute(on(trains, classes=True).replace(task=plugged("judged"), dataset=plugged("judged", seed=3)), context)
    assert (found.status, found.sizes["eccv_t2i"]) == ("ok", 10)
    student, dataset = student_of(trained, context), JudgedBeads(seed=3)
    split = encode_split(cached(tmp_path / "own", dataset), student, "test")
    assert found.metrics == measured(ranked(*student_embeddings(student, split, 256, "cpu"), dataset.judgments))
    assert verify([context.results], context.plugins)[1] == []


def test_a_suite_has_a_table_for_each_dataset(tmp_path: Path) -> None:
    path = tmp_path / "few.yaml"
    path.write_text(SUITE)
    context = where(tmp_path)
    specs = plan(load_suite(path, context.plugins))
    assert len(specs) == 12  # a reference and two students, on four datasets
    for spec in specs:
        assert execute_once(spec, context).status == "ok"
    assert verify([context.results], context.plugins)[1] == []
    board = build(read_measured([context.results], plugins=context.plugins).runs)
    assert [table.title for table in board.tables] == [
        "beads test · toy · 1 epoch, 4 steps of 8 samples, untuned",
        "classes test · toy trained on beads · 1 epoch, 4 steps of 8 samples, untuned",
        "others test · toy trained on beads · 1 epoch, 4 steps of 8 samples, untuned",
        "swapped test · toy trained on beads · 1 epoch, 4 steps of 8 samples, untuned",
    ]
    for table in board.tables:
        assert [row.student for row in table.references] == ["a"]
        assert sorted(row.teachers for row in table.rows) == ["a", "no distillation"]
        assert all(row.values[table.headline.name].half > 0 for row in table.rows)
    assert [metric.label for metric in board.tables[1].shown] == ["top-1", "top-5"]
    assert [metric.label for metric in board.tables[3].shown][:3] == ["all items", "mean of kinds", "add att"]


def noting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of runs that train from now on, in order."""
    learned: list[str] = []

    def noted(spec: RunSpec, *rest: Any) -> Any:
        learned.append(spec.run_id)
        return learn(spec, *rest)

    monkeypatch.setattr(executing, "learn", noted)
    return learned


def test_a_transfer_run_trains_its_student_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it comes first; the test split of its own dataset is opened afterwards."""
    context, trains = where(tmp_path), run_spec(["a"])
    learned = noting(monkeypatch)
    assert execute_once(on(trains), context).status == "ok"
    assert execute_once(trains, context).status == "ok"
    assert execute_once(on(trains, classes=True), context).status == "ok"
    assert learned == [trains.run_id]


def session(context: RunContext) -> Session:
    return Session(Site(context.results, context.cache.root, "cpu", 1), InProcess(), context.plugins)


def test_a_student_trained_again_leaves_its_transfers_to_do(tmp_path: Path) -> None:
    """Whatever the code says: where the result is another. `verify` names those that are of the earlier student."""
    begins = [1]

    def build() -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(begins[0])  # which no digest of code knows of
            return toy()

    context = where(tmp_path, students=[Offer("begun", build)])
    trains = run_spec([], student=plugged("begun"))
    first = execute_once(on(trains), context)
    trained = recorded(context.results, trains)
    assert trained is not None
    assert (first.status, first.student_digest, trained.student_digest) == ("ok", trained.digest_of_student, None)
    everything = [trains, on(trains)]
    assert session(context).pending(everything) == []
    assert execute_once(on(trains), context) == first

    execute(trains, context)  # the same student
    assert session(context).pending(everything) == []
    begins[0] = 2
    execute(trains, context)
    assert session(context).pending(everything) == [on(trains)]
    kept, problems = verify([context.results], context.plugins)
    assert [record.spec for record in kept] == [trains]
    assert [problem.what for problem in problems] == ["student_digest: not that of the trained student"]
    assert problems[0].path == str(record_path(context.results, trains.suite, on(trains).run_id))
    second = execute_once(on(trains), context)
    assert (second.status, second.arrays_sha256 != first.arrays_sha256) == ("ok", True)
    assert verify([context.results], context.plugins)[1] == []
    assert session(context).pending(everything) == []


def test_transfers_are_to_do_with_their_training(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    execute_once(on(trains), context)
    record_path(context.results, trains.suite, trains.run_id).unlink()
    assert session(context).pending([trains, on(trains)]) == [trains, on(trains)]


def test_a_training_that_failed_is_not_repeated_by_its_transfers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which fail at once, naming it; the next command tries it again."""
    built: list[int] = []

    def fails() -> Any:
        built.append(1)
        raise RuntimeError("no such weights")

    context = where(tmp_path, students=[Offer("fails", fails)])
    monkeypatch.setattr(loading, "installed", lambda: context.plugins)
    trains = run_spec([], student=plugged("fails"))
    specs = [on(trains), trains, on(trains, classes=True)]
    for times in (1, 2):
        started = session(context)
        started.run(started.pending(specs))
        assert len(built) == times
        reasons = [started.records[spec.run_id].reason for spec in specs]
        assert reasons[1] == "RuntimeError: no such weights"
        assert set(reasons) - {reasons[1]} == {
            f"the run that trains its student, fails · no distillation · seed 0, failed: {reasons[1]}"
        }


def test_to_do_a_transfer_again_trains_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its training would be executed again."""
    context, trains = where(tmp_path), run_spec([], student=plugged("toy", poisoned=True))
    assert execute_once(on(trains), context).status == "diverged"
    learned = noting(monkeypatch)
    assert execute_once(on(trains), context, redo=True).status == "diverged"
    assert learned == []
    assert execute_once(trains, context, redo=True).status == "diverged"
    assert learned == [trains.run_id]


def test_without_a_trained_student_it_says_which_run_is_missing(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec(["a"])
    found = execute(on(trains), context)
    assert found.status == "failed"
    assert found.reason == "the run that trains its student, toy · a · seed 0, has no record; execute it first"
    wrong = run_spec(["a"], dataset=plugged("beads", colour="red"))
    found = execute_once(on(wrong), context)
    trained = recorded(context.results, wrong)
    assert trained is not None
    assert trained.status == "failed"
    assert found.reason == f"the run that trains its student, toy · a · seed 0, failed: {trained.reason}"


def test_it_diverges_with_its_training(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([], student=plugged("toy", poisoned=True))
    found = execute_once(on(trains), context)
    assert (found.status, found.reason) == ("diverged", execute_once(trains, context).reason)


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    execute(trains, context)
    other = RunContext(context.plugins, Cache(tmp_path / "other"), context.results)
    assert f"the weights of run {trains.run_id}" in execute_once(on(trains), other).reason


def test_ranks_other_than_the_first_have_no_part(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    execute(trains, context)
    assert executing.outcome_of(on(trains), context, Rank(1, 2)).metrics == {}


class Learner(Sage):
    """A teacher that notes what it is prepared on."""

    seen: list[int] = []

    def towers(self, data: TeacherData) -> Towers:
        self.seen.append(len(data.split("train").images))
        return super().towers(data)


def test_a_teacher_itself_is_prepared_on_the_dataset_trained_on(tmp_path: Path) -> None:
    context = where(tmp_path, teachers=[Offer("learner", Learner)])
    spec = run_spec([]).replace(student=plugged("learner"), train=None, role="reference")
    for one in (on(spec), on(spec, classes=True)):
        assert execute_once(one, context).status == "ok"
    assert Learner.seen == [32, 32]


def test_a_transfer_run_is_run_again_with_its_training(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec(["a"])
    execute_once(on(trains), context)
    path = record_path(context.results, trains.suite, on(trains).run_id)
    with examined([path], plugins=context.plugins) as found:
        [(file, record)] = found.good
        assert rerun(file, record, context.plugins, tmp_path / "cache").same


def test_its_student_is_exported_from_the_run_that_trained_it(tmp_path: Path) -> None:
    context, trains = where(tmp_path), run_spec([])
    record = execute_once(on(trains), context)
    with pytest.raises(KdbenchError, match=f"evaluates the student of another run; expected that one, {trains.run_id}"):
        student_of(record, context)
