"""What a record shows to be wrong by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import Metric, Offer, Task, hookimpl
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_record, write_record
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.records.verify.record_fields import problems_of
from kdbench.suite.spec import TaskDataset
from tests.support.made_records import Damage, check_refused, cut, edit, made, reranked, set_in, some_ranks, whats
from tests.support.toys import plugged, run_spec, sage


def one_more_image(path: Path) -> None:
    ranks = some_ranks(1)
    reranked(path, ranks | {"text": np.append(ranks["text"], np.int32(1))})
    edit(path, lambda record: record["sizes"].update(images=21))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a metric": (set_in("metrics", "image_retrieval_recall@1", to=0.5), "metrics.rsum does not follow from the recalls"),
    "a metric above its range": (set_in("metrics", "text_retrieval_recall@5", to=1.5), "is outside its range"),
    "a metric that is no number": (set_in("metrics", "rsum", to=float("nan")), "not a record: metrics.rsum"),
    "a metric less": (lambda path, _: edit(path, lambda record: record["metrics"].pop("rsum")), "metrics"),
    "a validation metric": (set_in("validation", "mean_recall", to=99.0), "validation.mean_recall does not follow"),
    "a weight": (set_in("weights", "a", to=0.9), "weights"),
    "a weight of nobody": (set_in("weights", "c", to=0.0), "weights of another team"),
    "weights of others": (set_in("weights", to={"a": 0.5, "c": 0.5}), "weights of another team"),
    "the spec": (set_in("spec", "train", "lr", to=0.5), "run_id does not follow from the spec"),
    "a format of before": (set_in("format", to=1), "not a record: format"),
    "a spec of another version": (set_in("spec", "version", to=1), "not a record: spec.version"),
    "a key of the spec": (set_in("spec", "trian", to={}), "not a record: spec.trian"),
    "a plugin of the spec": (set_in("spec", "dataset", to="beads"), "not a record: spec.dataset"),
    "training without an end": (set_in("spec", "train", "epochs", to=0), "not a record: spec.train.epochs"),
    "a suite that leads elsewhere": (set_in("spec", "suite", to="../toys"), "spec.suite is no name"),
    "a name that a terminal obeys": (set_in("spec", "student", "name", to="\x1b[31mred"), "spec.student.name is no name"),
    "a name of 101 characters": (set_in("spec", "variant", to="x" * 101), "spec.variant is no name"),
    "a task of another name": (set_in("spec", "task", "use", to="chess"), "run_id does not follow from the spec"),
    "the cell": (set_in("cell_id", to="0" * 12), "cell_id does not follow from the spec"),
    "the label": (set_in("label", to="the best"), "label does not follow from the spec"),
    "a key": (set_in("medal", to="gold"), "not a record: medal"),
    "a type": (set_in("steps", to="many"), "not a record: steps"),
    "half of it": (lambda path, _: cut(path), "not a record: the file"),
    "the sizes": (set_in("sizes", "concepts", to=21), "sizes of the test split"),
    "no sizes": (set_in("sizes", to={}), "sizes of the test split"),
    "the digest": (set_in("dataset_digest", to="e" * 64), "dataset_digest of beads differs from that of the others"),
    "no digest": (set_in("dataset_digest", to=None), "dataset_digest"),
    "more images than the others saw": (lambda path, _: one_more_image(path), "sizes of beads differs from that of the others"),
    "an end before the start": (set_in("finished", to="2024-12-31T23:59:59Z"), "finished before it was started"),
    "no time": (set_in("started", to="yesterday"), "started or finished is not a time"),
    "a time without a zone": (set_in("started", to="2025-01-01T00:00:00"), "started or finished is not a time"),
    "seconds": (set_in("timings", "train", to=-1.0), "timings.train"),
    "seconds of an encoding": (set_in("encodings", to={"0a": float("nan")}), "encodings.0a"),
    "memory": (set_in("peak_mb", to=float("inf")), "peak_mb"),
    "a parameter that is no number": (
        set_in("spec", "student", "params", "width", to=float("nan")),
        "not a record: spec.student.params",
    ),
    "a machine with a number that is none": (set_in("host", "cores", to=float("inf")), "not a record: host"),
    "the best epoch": (set_in("best_epoch", to=4), "best_epoch"),
    "the steps": (set_in("steps", to=2), "steps"),
    "a term of the objective": (
        set_in("spec", "objective", 0, "coefficient", to="1"),
        "not a record: spec.objective.0.coefficient",
    ),
    "a failure with figures": (set_in("status", to="failed"), "a failed run with results"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_is_named_and_the_rest_stays_usable(name: str, tmp_path: Path) -> None:
    check_refused(tmp_path, *DAMAGES[name])


@pytest.mark.parametrize("status", ["failed", "skipped", "diverged"])
def test_runs_without_a_result_are_records_too(status: str, tmp_path: Path) -> None:
    spec = run_spec()
    bare = Record(
        run_id=spec.run_id, cell_id=spec.cell_id, label=spec.label, status=status, reason="why", spec=spec,  # type: ignore[arg-type]
        versions={}, commit=None, dirty=None, host={}, device="cpu", threads=1,
        started="2025-01-01T00:00:00Z", finished="2025-01-01T00:00:00Z",
    )  # fmt: skip
    write_record(tmp_path, bare)
    assert verify([tmp_path]) == ([bare], [])


def test_a_reference_has_no_training(tmp_path: Path) -> None:
    spec = run_spec(team=[]).replace(role="reference", student=sage("a"), train=None)
    empty: dict[str, Any] = {"validation": {}, "best_epoch": None, "steps": None, "weights": {}}
    made(tmp_path, trace=False, spec=spec, **empty)
    assert whats(verify([tmp_path])[1]) == []


def test_a_failure_with_figures_alone(tmp_path: Path) -> None:
    made(tmp_path, status="failed", arrays_sha256=None, trace_sha256=None)
    assert whats(verify([tmp_path])[1]) == ["a failed run with results"]


def test_a_task_that_is_not_installed(tmp_path: Path) -> None:
    task = run_spec().task.replace(use="chess")
    path = made(tmp_path, spec=run_spec(task=task))
    records, (problem,) = verify([tmp_path])
    assert (records, problem.path, problem.what) == ([], str(path), "a task that cannot be used here")
    assert "no task is called 'chess'" in problem.found


class Heights(Task):
    """Only what a record's figures need."""

    name = "heights"
    metrics = (
        Metric("error", "error", "m", higher_is_better=False, headline=True, best=0.0),
        Metric("score", "score", worst=-1.0, best=1.0),
    )


Heights.__abstractmethods__ = frozenset()


class Offers:
    @hookimpl
    def kdbench_tasks(self) -> list[Offer[Task]]:
        return [Offer("heights", Heights)]


@pytest.mark.parametrize(
    ("error", "score", "outside"),
    [
        (0.0, 1.0, []),
        (1e9, -1.0, []),
        (-0.1, 0.0, ["metrics.error is outside its range"]),
        (-1e90, 1.5, ["metrics.error is outside its range", "metrics.score is outside its range"]),
    ],
)
def test_ranges_are_those_that_the_task_declares(error: float, score: float, outside: list[str], tmp_path: Path) -> None:
    """Also of metrics that are better lower, and of those without bounds."""
    plugins = Plugins()
    plugins.register(Offers(), "tests:heights")
    task = run_spec().task.replace(name="heights", use="heights", params={}, defaults={})
    path = made(tmp_path, spec=run_spec(task=task))
    good = {"error": 1.0, "score": 0.5}
    record = read_record(path).replace(metrics={"error": error, "score": score}, validation=good, sizes={"people": 20})
    assert whats(list(problems_of(record, "here", record.run_id, plugins))) == outside
    beyond = record.replace(metrics={"error": 0.0, "score": 7.0})
    assert [problem.expected for problem in problems_of(beyond, "here", record.run_id, plugins)] == ["-1 to 1"]


def test_a_student_trained_elsewhere_has_no_validation_of_its_own(tmp_path: Path) -> None:
    spec = run_spec()
    spec = spec.replace(trained_on=TaskDataset(task=spec.task, dataset=plugged("beads", "far")))
    made(tmp_path / "right", trace=False, spec=spec, validation={})
    assert whats(verify([tmp_path / "right"])[1]) == []
    made(tmp_path / "wrong", trace=False, spec=spec)
    assert whats(verify([tmp_path / "wrong"])[1]) == ["validation"]


def test_a_record_cut_short_is_told_as_such(tmp_path: Path) -> None:
    path = made(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    (problem,) = verify([path])[1]
    assert (problem.what, problem.expected) == ("not a record: the file", "a record as `kdbench run` wrote it")
    assert problem.found.startswith("Invalid JSON: ")
