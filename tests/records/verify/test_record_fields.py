"""What a record shows to be wrong by itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kdbench.records.record import Record, ranks_path, write_record
from kdbench.records.verify import verify
from kdbench.suite.plan import RunSpec
from kdbench.tasks.retrieval.ranks import Ranks
from tests.support.made_records import Damage, check_refused, cut, edit, made, reranked, set_in, some_ranks, whats
from tests.support.toys import run_spec


def one_more_image(path: Path) -> None:
    ranks = some_ranks(1)
    reranked(path, Ranks(text=np.append(ranks.text, np.int32(1)), image=ranks.image))
    edit(path, lambda record: record["sizes"].update(images=21))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a metric": (set_in("metrics", "image_retrieval_recall@1", to=0.5), "metrics.rsum does not follow from the recalls"),
    "a metric above its range": (set_in("metrics", "text_retrieval_recall@5", to=1.5), "is outside its range"),
    "a metric that is no number": (set_in("metrics", "rsum", to=float("nan")), "metrics.rsum is outside its range"),
    "a metric less": (lambda path, _: edit(path, lambda record: record["metrics"].pop("rsum")), "metrics"),
    "a validation metric": (set_in("validation", "mean_recall", to=99.0), "validation.mean_recall does not follow"),
    "a weight": (set_in("weights", "a", to=0.9), "weights"),
    "a weight of nobody": (set_in("weights", "c", to=0.0), "weights of another team"),
    "the spec": (set_in("spec", "train", "lr", to=0.5), "run_id does not follow from the spec"),
    "a key of the spec": (set_in("spec", "trian", to={}), "spec"),
    "a plugin of the spec": (set_in("spec", "dataset", to="beads"), "spec"),
    "training without an end": (set_in("spec", "train", "epochs", to=0), "spec: epochs"),
    "a suite that leads elsewhere": (set_in("spec", "suite", to="../toys"), "spec: suite"),
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
    "no time": (set_in("started", to="yesterday"), "started or finished is no time"),
    "a time without a zone": (set_in("started", to="2025-01-01T00:00:00"), "started or finished is no time"),
    "seconds": (set_in("timings", "train", to=-1.0), "timings.train"),
    "the best epoch": (set_in("best_epoch", to=4), "best_epoch"),
    "the steps": (set_in("steps", to=2), "steps"),
    "a term of the objective": (set_in("spec", "objective", 0, "coefficient", to="1"), "spec: coefficient"),
    "a failure with figures": (set_in("status", to="failed"), "a failed run with results"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_is_named_and_the_rest_stays_usable(name: str, tmp_path: Path) -> None:
    check_refused(tmp_path, *DAMAGES[name])


@pytest.mark.parametrize("status", ["failed", "skipped", "diverged"])
def test_runs_without_a_result_are_records_too(status: str, tmp_path: Path) -> None:
    spec = run_spec()
    bare = Record(
        run_id=spec.run_id, cell_id=spec.cell_id, label=spec.label, status=status, reason="why", spec=spec.as_dict(),  # type: ignore[arg-type]
        versions={}, commit=None, dirty=None, host={}, device="cpu", threads=1,
        started="2025-01-01T00:00:00Z", finished="2025-01-01T00:00:00Z",
    )  # fmt: skip
    write_record(tmp_path, bare)
    assert verify([tmp_path]) == ([bare], [])


def test_a_reference_has_no_training(tmp_path: Path) -> None:
    spec = {"role": "reference", "team": (), "objective": [], "train": {}}
    path = made(tmp_path, series=False, spec=spec, validation={}, best_epoch=None, steps=None, weights={})
    edit(path, lambda record: record["spec"].update(train={}))
    laid_out = RunSpec(**json.loads(path.read_text())["spec"])
    edit(path, lambda record: record.update(run_id=laid_out.run_id, cell_id=laid_out.cell_id))
    moved = path.with_stem(laid_out.run_id)
    ranks_path(path).rename(ranks_path(moved))
    path.rename(moved)
    assert whats(verify([tmp_path])[1]) == []


def test_a_failure_with_figures_alone(tmp_path: Path) -> None:
    made(tmp_path, status="failed", ranks_sha256=None, series_sha256=None)
    assert whats(verify([tmp_path])[1]) == ["a failed run with results"]
