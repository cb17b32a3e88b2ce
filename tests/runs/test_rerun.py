"""Training a run again: the same to the last bit, and what differs when it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_arrays, read_record, read_trace, write_record, write_trace
from kdbench.records.names import record_path
from kdbench.records.verify import examined
from kdbench.runs.execute import execute
from kdbench.runs.rerun import Rerun, compared, rerun
from kdbench.tasks import retrieval
from tests.support.made_records import edit, oracle, reranked, some_ranks, trace_path
from tests.support.toys import run_context, run_spec, toy_plugins


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The record of a run of the toys."""
    context = run_context(tmp_path)
    spec = run_spec()
    assert execute(spec, context).status == "ok"
    return record_path(context.results, spec.suite, spec.run_id)


def again(path: Path, cache: Path) -> Rerun:
    with examined([path], plugins=toy_plugins()) as found:
        assert [str(problem) for problem in found.problems] == []
        ((file, record),) = found.good
        return rerun(file, record, toy_plugins(), cache)


@pytest.mark.parametrize("cache", ["cache", "another"])
def test_the_same(cache: str, done: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    found = again(done, tmp_path / cache)
    assert found.same
    assert (found.queries, found.differing, found.gap, found.differences) == (50, 0, 0.0, [])
    assert found.lines() == [f"{done.stem} ({found.record.label}): same"]
    assert {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()} == before


def test_ranks_that_were_edited_with_all_that_follows_from_them(done: Path, tmp_path: Path) -> None:
    true = read_arrays(done, toy_plugins())
    text = true["text"].copy()
    worst = np.argsort(-text, kind="stable")[:2]
    assert (text[worst] > 1).all()
    text[worst] = 1
    edited = true | {"text": text}
    reranked(done, edited)
    found = again(done, tmp_path / "cache")
    assert not found.same
    assert (found.queries, found.differing) == (50, 2)
    assert found.gap == pytest.approx(oracle(true)["rsum"] - oracle(edited)["rsum"])
    assert found.gap < 0
    assert found.lines()[1] == f"  2 of 50 queries (4.00%) score differently; RSUM {found.gap:+.2f}"
    assert found.lines()[2:] == [  # nothing here excuses it
        "  recorded with the device, threads, host, versions and plugins of now, where results are the same to the bit",
        "  its validation, weights and trace are those of this training, its test arrays are not",
    ]


def test_a_trace_and_figures_that_were_invented(done: Path, tmp_path: Path) -> None:
    """With all that follows from them: test figures are true."""
    true = read_record(done)
    trace = read_trace(done)
    weights = {name: [value + by for value in trace.weights[name]] for name, by in (("a", 0.25), ("b", -0.25))}
    invented = trace.model_copy(update={"weights": weights, "loss": [0.5 * value for value in trace.loss]})
    sha256 = write_trace(done, invented)
    validation = oracle(some_ranks(0))
    write_record(done.parent.parent, true.replace(trace_sha256=sha256, weights=invented.mean_weights, validation=validation))
    found = again(done, tmp_path / "cache")
    assert (found.same, found.differing) == (False, 0)
    told = "\n".join(found.lines())
    for name, was, now in (("a", "0.75", "0.5"), ("b", "0.25", "0.5")):
        assert f"weights.{name}: recorded as {was}, now {now}" in told
        assert f"trace.weights.{name}: other in {len(trace.step)} of" in told
    assert f"validation.rsum: recorded as {validation['rsum']:.6g}, now {true.validation['rsum']:.6g}" in told
    assert "trace.loss: other in" in told
    assert "where results are the same to the bit" in told


def test_a_trace_that_was_removed_is_missed(done: Path, tmp_path: Path) -> None:
    trace_path(done).unlink()
    edit(done, lambda record: record.update(trace_sha256=None))
    assert "  no trace was recorded, so none was compared" in again(done, tmp_path / "cache").lines()


def test_where_identical_bits_are_not_promised(done: Path, tmp_path: Path) -> None:
    def elsewhere(record: dict[str, object]) -> None:
        record.update(device="NVIDIA H100", host={"id": "ffffffff"}, versions={"torch": "1.0"})

    edit(done, elsewhere)
    found = again(done, tmp_path / "cache")
    assert found.same  # as it happens: nothing is to be judged
    assert not any("another processor" in line for line in found.lines())
    assert "  device: recorded with NVIDIA H100, now cpu" in found.lines()
    assert f"  torch: recorded with 1.0, now {found.again.versions['torch']}" in found.lines()
    assert any(line.startswith("  host: recorded with ffffffff") for line in found.lines())
    assert found.lines()[-1] == "  identical results are promised only where device, threads, host and versions agree"


def test_a_difference_is_measured_against_that_of_another_processor(done: Path, tmp_path: Path) -> None:
    true = read_arrays(done, toy_plugins())
    reranked(done, true | {"text": np.ones_like(true["text"])})
    edit(done, lambda record: record.update(host={"id": "ffffffff"}))
    told = "\n".join(again(done, tmp_path / "cache").lines())
    assert "  more than another processor changed when it was measured once (84.70% of queries, RSUM -1.28)" in told
    assert "its test arrays are not" in told  # which no processor does


def test_another_dataset_is_not_the_same(done: Path, tmp_path: Path) -> None:
    edit(done, lambda record: record.update(dataset_digest="e" * 64, units_sha256=None))
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
    results = done.parent.parent
    context = replace(run_context(tmp_path), results=results)
    with context.scratch(done.stem) as folder:
        checkpoint = folder / "checkpoint.safetensors"
        checkpoint.write_bytes(b"no checkpoint")
    assert again(done, tmp_path / "cache").same
    assert checkpoint.read_bytes() == b"no checkpoint"


def test_a_run_that_failed_has_nothing_to_compare(done: Path, tmp_path: Path) -> None:
    empty: dict[str, object] = {"metrics": {}, "arrays_sha256": None, "trace_sha256": None}
    edit(done, lambda record: record.update(status="failed", reason="out of disk", **empty))
    with pytest.raises(RecordError, match="out of disk; there is nothing to compare with"):
        again(done, tmp_path / "cache")


def test_a_run_that_cannot_be_done_here(done: Path, tmp_path: Path) -> None:
    plugins = Plugins()
    plugins.register(retrieval, "kdbench:retrieval")
    with examined([done], plugins=toy_plugins()) as found:
        ((file, record),) = found.good
        with pytest.raises(RecordError, match=r"cannot be run here: failed: .*beads"):
            rerun(file, record, plugins, tmp_path / "cache")


def test_a_diverged_run_diverges_again(tmp_path: Path) -> None:
    context = run_context(tmp_path)
    spec = run_spec(train={"lr": 1e30, "clip_norm": 1e30})
    record = execute(spec, context)
    assert record.status == "diverged", record.reason
    path = record_path(context.results, spec.suite, spec.run_id)
    found = again(path, tmp_path / "cache")
    assert found.same
    assert found.queries == 0
    edit(path, lambda content: content.update(status="diverged", reason="another reason"))
    assert again(path, tmp_path / "cache").same


def test_arrays_of_any_task_are_compared_query_by_query() -> None:
    one = {"a": np.arange(6.0).reshape(3, 2), "b": np.arange(4)}
    assert compared(one, one) == (7, 0)
    assert compared(one, one | {"a": one["a"] + [[0, 1], [0, 0], [1, 1]]}) == (7, 2)
    assert compared(one, {"a": one["a"]}) == compared(one, one | {"b": np.arange(5)}) == (7, 7)
    assert compared(one, {}) == (0, 0)
