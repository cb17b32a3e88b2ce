"""The student of a record comes back with the weights its figures were measured with, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kdbench.deploy.export.load import trained_student
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.files import find_records, read_record
from kdbench.storage.cache import Cache
from kdbench.storage.checkpoint import save_weights
from kdbench_plugins.students.clip_module import ClipModule
from tests.support.export_runs import Trained, fused, small
from tests.support.paths import ROOT
from tests.support.toys import bits, module_of, rank_split


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


def weights_of(cache: Path) -> Path:
    (found,) = cache.glob("students/*/weights.safetensors")
    return found


def copied(trained: Any, folder: Path) -> Cache:
    shutil.copytree(trained.context.cache.root / "students", folder / "students")
    return Cache(folder)


def test_the_weights_are_those_kept_and_give_the_ranks_of_the_record(trained: Trained) -> None:
    student = trained.student
    module = module_of(student)
    assert bits(module.state_dict()) == bits(load_file(weights_of(trained.context.cache.root)))
    assert not module.training
    ranks = rank_split(student, trained.split)
    np.testing.assert_array_equal(ranks.text, trained.ranks.text)
    np.testing.assert_array_equal(ranks.image, trained.ranks.image)


def test_it_leaves_the_global_generator_alone(trained: Trained) -> None:
    torch.manual_seed(3)
    expected = torch.rand(())
    torch.manual_seed(3)
    assert trained.student
    assert torch.equal(torch.rand(()), expected)


def test_what_served_the_training_alone_is_gone() -> None:
    run = fused()
    student = run.student
    assert isinstance(student.module, ClipModule)
    ranks = rank_split(student, run.split)
    np.testing.assert_array_equal(ranks.image, run.ranks.image)


def test_weights_that_are_not_in_the_cache(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"are missing in the cache .* in the cache of the training, not in results"):
        trained_student(trained.record, trained.context.plugins, Cache(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_other_ranks_are_not_taken(trained: Trained) -> None:
    other = trained.record.replace(arrays_sha256="0" * 64)
    with pytest.raises(KdbenchError, match="are missing in the cache"):
        trained_student(other, trained.context.plugins, trained.context.cache)


def test_weights_of_a_run_of_format_1(tmp_path: Path) -> None:
    """They were kept under the run id and the sha256 of the ranks that the record holds, not under today's ids."""
    folder = ROOT / "results/students"
    records = map(read_record, find_records([folder]))
    record = next(record for record in records if record.status == "ok" and not record.spec.reference)
    written: dict[str, Any] = json.loads((folder / f"{record.run_id}.json").read_bytes())
    assert (written["format"], written["run_id"]) == (1, record.run_id) != (1, record.spec.run_id)
    plugins, cache = Plugins().load(), Cache(tmp_path)
    with building_with(plugins):
        student = build_spec("student", record.spec.student)

    def make(folder: Path) -> None:
        save_weights(folder / "weights.safetensors", student.module)

    cache.entry("students", {"run_id": written["run_id"], "ranks": written["ranks_sha256"]}, make)
    assert bits(trained_student(record, plugins, cache).module.state_dict()) == bits(student.module.state_dict())


def test_weights_that_are_damaged(trained: Trained, tmp_path: Path) -> None:
    cache = copied(trained, tmp_path)
    path = weights_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.warns(KdbenchWarning, match="damaged"), pytest.raises(KdbenchError, match="or damaged"):
        trained_student(trained.record, trained.context.plugins, cache)


def test_weights_that_no_longer_fit(trained: Trained) -> None:
    spec = trained.record.spec
    config = spec.student.params["config"]
    wider = spec.student.replace(params={"config": {**config, "embed_dim": 24}})
    changed = trained.record.replace(spec=spec.replace(student=wider))
    with pytest.raises(KdbenchError, match=r"do not fit the student 'small' .*size mismatch.* torch \d"):
        trained_student(changed, trained.context.plugins, trained.context.cache)


def test_a_run_that_failed(trained: Trained) -> None:
    failed = trained.record.replace(status="failed", arrays_sha256=None)
    with pytest.raises(KdbenchError, match="has the status 'failed'"):
        trained_student(failed, trained.context.plugins, trained.context.cache)


def test_a_reference_trained_no_student(trained: Trained) -> None:
    reference = trained.record.replace(spec=trained.record.spec.replace(role="reference"))
    with pytest.raises(KdbenchError, match="is a reference, a teacher itself"):
        trained_student(reference, trained.context.plugins, trained.context.cache)
