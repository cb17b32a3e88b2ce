"""Training a run again: the same to the last bit, and how it is told when it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.made_records import edit, oracle
from tests.support.toys import bench as toy_bench
from tests.support.toys import run_spec, toy_plugins

from kdbench.storage.cache import Cache
from kdbench.errors import RecordError
from kdbench.records.verify import examined
from kdbench.runs.rerun import Rerun, rerun
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.records.record import read_ranks, record_path, write_ranks
from kdbench.runs.execute import execute


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The record of a run of the toys."""
    where = toy_bench(tmp_path)
    spec = run_spec()
    assert execute(spec, where).status == "ok"
    return record_path(where.results, spec.suite, spec.run_id)


def again(path: Path, cache: Path) -> Rerun:
    with examined([path], plugins=toy_plugins()) as found:
        assert [str(problem) for problem in found.problems] == []
        ((item, record),) = found.good
        return rerun(item, record, toy_plugins(), cache)


@pytest.mark.parametrize("cache", ["cache", "another"])
def test_the_same(cache: str, done: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    found = again(done, tmp_path / cache)
    assert found.same
    assert (found.queries, found.differing, found.rsum_gap, found.differences) == (50, 0, 0.0, [])
    assert found.lines() == [f"{done.stem} ({found.record.label}): same"]
    assert {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()} == before


def test_ranks_that_were_edited_with_all_that_follows_from_them(done: Path, tmp_path: Path) -> None:
    true = read_ranks(done)
    text = true.text.copy()
    worst = np.argsort(-text, kind="stable")[:2]
    assert (text[worst] > 1).all()
    text[worst] = 1
    edited = Ranks(text=text, image=true.image)
    sha256 = write_ranks(done, edited)
    edit(done, lambda record: record.update(ranks_sha256=sha256, metrics=oracle(edited)))
    found = again(done, tmp_path / "cache")
    assert not found.same
    assert (found.queries, found.differing) == (50, 2)
    assert found.rsum_gap == pytest.approx(oracle(true)["rsum"] - oracle(edited)["rsum"])
    assert found.rsum_gap < 0
    assert found.lines()[1] == f"  2 of 50 queries (4.00%) have another rank; RSUM {found.rsum_gap:+.2f}"
    assert len(found.lines()) == 2  # nothing here excuses it


def test_where_identical_bits_are_not_promised(done: Path, tmp_path: Path) -> None:
    def elsewhere(record: dict[str, object]) -> None:
        record.update(device="NVIDIA H100", host={"id": "ffffffff"}, versions={"torch": "1.0"})

    edit(done, elsewhere)
    found = again(done, tmp_path / "cache")
    assert found.same  # as it happens
    assert "  device: recorded with NVIDIA H100, now cpu" in found.lines()
    assert f"  torch: recorded with 1.0, now {found.again.versions['torch']}" in found.lines()
    assert any(line.startswith("  host: recorded with ffffffff") for line in found.lines())
    assert found.lines()[-1] == "  identical ranks are promised only where device, threads, host and versions agree"


def test_another_dataset_is_not_the_same(done: Path, tmp_path: Path) -> None:
    edit(done, lambda record: record.update(dataset_digest="e" * 64, concepts_sha256=None))
    found = again(done, tmp_path / "cache")
    assert not found.same
    assert f"the dataset has digest {found.again.dataset_digest}, expected {'e' * 64}" in found.lines()[1]


def test_as_many_threads_as_were_recorded(done: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    edit(done, lambda record: record.update(threads=2))
    found = again(done, tmp_path / "cache")
    assert found.again.threads == 2
    assert torch.get_num_threads() == before


def test_a_checkpoint_is_neither_used_nor_removed(done: Path, tmp_path: Path) -> None:
    """It may be that of an interrupted run of the user's own, or not be true."""
    checkpoint = Cache(tmp_path / "cache").scratch(done.stem) / "checkpoint.safetensors"
    checkpoint.write_bytes(b"no checkpoint")
    assert again(done, tmp_path / "cache").same
    assert checkpoint.read_bytes() == b"no checkpoint"


def test_a_run_that_failed_has_nothing_to_compare(done: Path, tmp_path: Path) -> None:
    empty: dict[str, object] = {"metrics": {}, "ranks_sha256": None, "series_sha256": None}
    edit(done, lambda record: record.update(status="failed", reason="out of disk", **empty))
    with pytest.raises(RecordError, match="out of disk; there is nothing to compare with"):
        again(done, tmp_path / "cache")


def test_a_run_that_cannot_be_done_here(done: Path, tmp_path: Path) -> None:
    from kdbench.plugins.loading import Plugins

    with examined([done], plugins=toy_plugins()) as found:
        ((item, record),) = found.good
        with pytest.raises(RecordError, match=r"cannot be run here: failed: .*beads"):
            rerun(item, record, Plugins(), tmp_path / "cache")


def test_a_diverged_run_diverges_again(tmp_path: Path) -> None:
    where = toy_bench(tmp_path)
    spec = run_spec(train={"lr": 1e30, "clip_norm": 1e30})
    record = execute(spec, where)
    assert record.status == "diverged", record.reason
    path = record_path(where.results, spec.suite, spec.run_id)
    found = again(path, tmp_path / "cache")
    assert found.same
    assert found.queries == 0
    edit(path, lambda content: content.update(status="diverged", reason="another reason"))
    assert again(path, tmp_path / "cache").same
