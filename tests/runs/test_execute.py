"""From a spec to a record, end to end on the toys."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kdbench import Batch, KdbenchError, Offer, Progress, Signal, Skip, Student, StudentModule, TeacherData, Towers
from kdbench.errors import KdbenchWarning
from kdbench.plugins.library_warnings import LibraryWarning
from kdbench.records.files import read_record, read_trace, record_path, units_path, write_record
from kdbench.records.names import ARRAYS, TRACE
from kdbench.records.parts import weights_identity
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute, prepare
from kdbench.runs.once import execute_once
from kdbench.storage import loaded_code
from kdbench.storage.cache import Entry
from kdbench.storage.digest import file_digest
from kdbench.suite.spec import PluginSpec
from kdbench.training.evaluation import evaluated
from kdbench_plugins.strategies import rl_select
from tests.support.toys import (
    SEEN,
    Beads,
    Count,
    Sage,
    Toy,
    TwoTowers,
    bits,
    encoded,
    module_of,
    plugged,
    rank_split,
    read_ranks,
    retrieval_spec,
    run_context,
    run_spec,
    shared_toy,
    toy,
)

METRICS = {f"{way}_retrieval_recall@{k}" for way in ("image", "text") for k in (1, 5)} | {"rsum", "mean_recall", "log_rank"}


class Wary(Sage):
    """A teacher of which a library warns: when it is loaded, and when it encodes images for the first time."""

    def towers(self, data: TeacherData) -> Towers:
        warnings.warn("weights of another activation", UserWarning, stacklevel=1)
        towers = super().towers(data)
        encode = towers.image.encode

        def warning(items: Any, device: str) -> Tensor:
            logging.getLogger("timm.models").warning("a picture was padded")
            return encode(items, device)

        towers.image.encode = warning  # type: ignore[method-assign]
        return towers


def test_warnings_of_libraries_are_shown_once_and_kept_in_every_record(tmp_path: Path) -> None:
    """Also in that of a later run, which reads the embeddings from the cache."""
    where = run_context(tmp_path, teachers=[Offer("wary", Wary)])
    texts = ["test_execute: weights of another activation", "timm: a picture was padded"]
    for seed in (0, 1):
        spec = run_spec(team=(plugged("wary"),), strategy=None, seed=seed)
        with pytest.warns(LibraryWarning) as shown:
            record = execute(spec, where)
        assert record.warnings == texts
        assert sorted(str(one.message) for one in shown if one.category is LibraryWarning) == sorted(texts)
        assert json.loads(record_path(where.results, "toys", spec.run_id).read_text())["warnings"] == texts


def test_a_record_without_warnings_has_no_such_field(tmp_path: Path) -> None:
    where = run_context(tmp_path)
    record = execute(run_spec(), where)
    assert record.warnings == []
    assert "warnings" not in json.loads(record_path(where.results, "toys", record.run_id).read_text())


def test_a_run_ends_with_a_record_of_what_it_did(tmp_path: Path) -> None:
    spec, where = run_spec(strategy=plugged("ammkd", C=0.7)), run_context(tmp_path)
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    assert record == read_record(record_path(where.results, "toys", spec.run_id))
    assert (record.run_id, record.cell_id, record.label, record.spec) == (spec.run_id, spec.cell_id, spec.label, spec)
    assert set(record.metrics) == set(record.validation) == METRICS
    assert record.best_epoch in (1, 2, 3)
    assert record.steps == 12
    assert set(record.weights) == {"a", "b"}
    assert sum(record.weights.values()) == pytest.approx(1)
    assert all(0.3 - 1e-6 <= weight <= 0.7 + 1e-6 for weight in record.weights.values())
    assert record.sizes == {"images": 20, "captions": 30, "concepts": 10}
    assert record.dataset_digest == where.open(where.task(spec.task), spec.dataset, "").digest
    assert record.licence == "CC0"
    assert set(record.timings) == {"teacher", "train", "strategy", "evaluate"}
    assert 0 < record.timings["strategy"] < record.timings["train"]
    assert sum(record.encodings.values()) == pytest.approx(record.timings["teacher"], abs=1e-3)
    assert len(record.encodings) == 4  # two teachers, images and captions
    assert record.peak_mb is not None
    assert record.peak_mb > 100  # torch alone is more
    assert {"python", "torch", "kdbench"} <= set(record.versions)
    assert record.device == "cpu"
    assert record.threads == 1
    assert record.started <= record.finished


def test_the_ranks_beside_a_record_give_its_figures(tmp_path: Path) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    record = execute(spec, where)
    ranks = read_ranks(record_path(where.results, "toys", spec.run_id))
    assert (len(ranks.text), len(ranks.image)) == (20, 30)
    assert record.metrics == ranks.metrics([1, 5])


def test_what_the_test_split_shows_is_kept_beside_the_record(tmp_path: Path) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    record = execute(spec, where)
    path = units_path(record_path(where.results, "toys", spec.run_id), str(record.dataset_digest))
    assert file_digest(path) == record.units_sha256
    with np.load(path) as found:
        images, captions = found["images"], found["captions"]
    split = where.open(where.task(spec.task), spec.dataset, "").split("test")
    expected = split.image_concepts[:, None] == split.caption_concepts
    np.testing.assert_array_equal(images[:, None] == captions, expected)


def test_the_weights_kept_give_the_ranks_of_the_record(tmp_path: Path) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    record = execute(spec, where)
    student = toy()
    (kept,) = [entry for entry in where.cache.entries() if isinstance(entry, Entry) and entry.kind == "students"]
    assert kept.identity == weights_identity(spec.run_id, str(record.arrays_sha256), record.parts)
    assert kept.identity.items() >= {"run_id": spec.run_id, "ranks": record.arrays_sha256}.items()
    module_of(student).load_state_dict(load_file(kept.folder / "weights.safetensors"))
    expected = read_ranks(record_path(where.results, "toys", spec.run_id))
    found = rank_split(student, encoded(tmp_path, student, "test"))
    np.testing.assert_array_equal(found.text, expected.text)
    np.testing.assert_array_equal(found.image, expected.image)
    validation = rank_split(student, encoded(tmp_path, student, "validation"))
    assert validation.metrics([1, 5]) == record.validation


@pytest.mark.parametrize("team", [(), ("a",), ("a", "b", "c")])
def test_teams_of_any_size(tmp_path: Path, team: tuple[str, ...]) -> None:
    spec, where = run_spec(team), run_context(tmp_path)
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    assert record.weights == pytest.approx({name: 1 / len(team) for name in team})
    trace = read_trace(record_path(where.results, "toys", spec.run_id))
    columns = trace.model_dump(exclude_defaults=True)
    assert set(columns) == {"step", "loss", "task", "entropy", *(["weights"] if team else []), *(COMPARED if team[1:] else [])}
    assert set(record.dynamics) == ({"weight_entropy", "gradient_cosine", "conflicting_steps"} if team[1:] else set())


COMPARED = ("cosines", "conflict")


def test_the_trace_beside_a_record_tells_what_went_on(tmp_path: Path) -> None:
    spec, where = run_spec(("a", "b", "c"), plugged("ammkd", C=0.5)), run_context(tmp_path)
    told: list[Progress] = []
    record = execute(spec, replace(where, on_progress=told.append))
    trace = read_trace(record_path(where.results, "toys", spec.run_id))
    steps = [progress for progress in told if progress.stage == "train"]
    assert trace.step == list(range(1, 13))
    assert trace.loss == pytest.approx([progress.loss for progress in steps], abs=1e-6)
    assert all(task < loss for task, loss in zip(trace.task, trace.loss, strict=True))
    for name in "abc":
        assert trace.weights[name] == pytest.approx([progress.weights[name] for progress in steps], abs=1e-6)
        assert record.weights[name] == pytest.approx(np.mean(trace.weights[name]), abs=1e-6)
    assert len(set(trace.entropy)) > 1
    assert set(trace.cosines) == {"a · b", "a · c", "b · c"}
    assert record.dynamics == pytest.approx(
        {
            "weight_entropy": np.mean(trace.entropy),
            "gradient_cosine": np.mean(list(trace.cosines.values())),
            "conflicting_steps": np.mean(trace.conflict),
        },
        abs=1e-6,
    )


def test_a_record_names_its_reconstructions_by_their_labels(tmp_path: Path) -> None:
    spec = run_spec(strategy=plugged("ammkd", "flagship", C=0.7))
    assert execute(spec, run_context(tmp_path)).reconstructions == ["flagship"]
    assert execute(run_spec(), run_context(tmp_path)).reconstructions == []
    diverging = run_spec(strategy=plugged("ammkd"), student=plugged("toy", poisoned=True))
    assert execute(diverging, run_context(tmp_path)).reconstructions == ["ammkd"]
    students = [Offer("rebuilt", toy, status="reconstruction"), Offer("library", toy, status="library")]
    where = run_context(tmp_path, students=students)
    assert execute(run_spec((), student=plugged("rebuilt")), where).reconstructions == ["rebuilt"]
    assert execute(run_spec((), student=plugged("library")), where).reconstructions == []


class Scaffolded(TwoTowers):
    """Has a part that serves the training alone."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.scaffold = nn.Linear(width, width)

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        return self.encode_image(images), self.encode_text(texts)

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:  # noqa: ARG002
        loss: Tensor = (self.scaffold(views[0]) - views[1]).square().mean()
        return loss


class Finalized(Toy):
    """A student that takes its scaffold down."""

    def __init__(self) -> None:
        super().__init__(Scaffolded(8), 8)

    def finalize(self) -> StudentModule:
        plain = TwoTowers(8)
        state = module_of(self).state_dict()
        plain.load_state_dict({name: value for name, value in state.items() if not name.startswith("scaffold")})
        return cast(StudentModule, plain)


def kept_weights(where: RunContext, record: Record) -> dict[str, Tensor]:
    """The trained student of a record, from the cache."""
    entries = [entry for entry in where.cache.entries() if isinstance(entry, Entry) and entry.kind == "students"]
    (kept,) = [entry for entry in entries if entry.identity["run_id"] == record.run_id]
    return load_file(kept.folder / "weights.safetensors")


def test_what_served_the_training_alone_is_not_kept(tmp_path: Path) -> None:
    spec, where = run_spec(student=plugged("scaffolded")), run_context(tmp_path, students=[Offer("scaffolded", Finalized)])
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    student = toy()
    module_of(student).load_state_dict(kept_weights(where, record))  # strict: nothing more, nothing less
    expected = read_ranks(record_path(where.results, "toys", spec.run_id))
    found = rank_split(student, encoded(tmp_path, student, "test"))
    np.testing.assert_array_equal(found.text, expected.text)
    np.testing.assert_array_equal(found.image, expected.image)
    raw = Finalized()
    assert set(module_of(raw).state_dict()) > set(kept_weights(where, record))


def outcome(strategy: PluginSpec, team: str, seed: int, where: RunContext) -> tuple[Any, ...]:
    """What a run comes to, to the last bit: the rank file, the student's weights, the figures on both splits."""
    spec = run_spec(tuple(team), strategy, seed)
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    ranks = record_path(where.results, "toys", spec.run_id).with_suffix(ARRAYS).read_bytes()
    return ranks, bits(kept_weights(where, record)), record.validation, record.best_epoch, record.metrics


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("team", ["ab", "abc"])
@pytest.mark.parametrize(
    "other",
    [
        lambda teachers: plugged("ammkd", C=1 / teachers),
        lambda teachers: plugged("ammkd", C=1 / teachers, normalize="l2", space="parameters"),
        lambda _: plugged("rl_select", initial=1.0),  # every teacher selected, always
        lambda _: plugged("rl_select", initial=1.0, warmup=0.0, pretrain=0.0),
    ],
    ids=["ammkd", "ammkd-l2-parameters", "rl_select", "rl_select-at-once"],
)
def test_strategies_that_come_down_to_equal_weights_reproduce_equal(tmp_path: Path, team: str, seed: int, other: Any) -> None:
    """A whole run, bit for bit; and one that does not is told from it."""
    where = run_context(tmp_path, strategies=rl_select.kdbench_strategies())
    equal = outcome(plugged("equal"), team, seed, where)
    assert outcome(other(len(team)), team, seed, where) == equal
    assert outcome(plugged("ammkd", C=1.0), team, seed, where)[1] != equal[1]
    assert outcome(plugged("rl_select", warmup=0.0, pretrain=0.0), team, seed, where)[1] != equal[1]


def test_a_run_is_the_same_anywhere_and_after_anything(tmp_path: Path) -> None:
    spec = run_spec(strategy=plugged("random"))
    first = execute(spec, run_context(tmp_path / "one"))
    torch.manual_seed(77)
    execute(run_spec(("c",), seed=4), run_context(tmp_path / "two"))
    second = execute(spec, run_context(tmp_path / "two"))
    assert first.arrays_sha256 == second.arrays_sha256
    assert (first.metrics, first.validation, first.weights) == (second.metrics, second.validation, second.weights)
    assert first.dataset_digest == second.dataset_digest
    other = execute(run_spec(strategy=plugged("random"), seed=1), run_context(tmp_path / "two"))
    assert other.weights != first.weights


def test_the_test_split_is_read_after_training_has_ended(tmp_path: Path) -> None:
    def on_progress(progress: Progress) -> None:
        if progress.stage == "train":
            SEEN.append("step")

    SEEN.clear()
    where = replace(run_context(tmp_path), on_progress=on_progress)
    record = execute(run_spec(student=plugged("toy", watch=True)), where)
    assert record.status == "ok"
    steps = [place for place, what in enumerate(SEEN) if what == "step"]
    opened = [place for place, what in enumerate(SEEN) if what.endswith("test")]
    assert len(steps) == 12
    assert {SEEN[place] for place in opened} == {"image test", "text test"}
    assert min(opened) > max(steps)
    assert {"image train", "text train", "image validation", "text validation"} <= set(SEEN[: min(steps)])


class Broken:
    """A strategy that works until half of the training is done, and then does what it is told."""

    error: BaseException | None = None

    def weigh(self, signal: Signal) -> Tensor:
        if self.error is not None and signal.batch.progress >= 0.5:
            raise self.error
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


BROKEN = {"strategies": [Offer("broken", Broken)]}


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `broken` raise an error, or None to mend it."""
    return lambda error: monkeypatch.setattr(Broken, "error", error)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Skip("no such device here"), "skipped", "no such device here"),
        (KdbenchError("weights.bin: not there; download it"), "failed", "weights.bin: not there; download it"),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
    ],
)
def test_what_goes_wrong_is_recorded_and_tried_again(
    tmp_path: Path, breaking: Any, capsys: pytest.CaptureFixture[str], error: Exception, status: str, reason: str
) -> None:
    spec, where = run_spec(strategy=plugged("broken")), run_context(tmp_path, **BROKEN)
    breaking(error)
    record = execute(spec, where)
    assert (record.status, record.reason) == (status, reason)
    assert record == read_record(record_path(where.results, "toys", spec.run_id))
    assert (record.metrics, record.arrays_sha256, record.steps) == ({}, None, None)
    assert (record.dynamics, record.trace_sha256) == ({}, None)
    assert not record_path(where.results, "toys", spec.run_id).with_suffix(ARRAYS).exists()
    assert not record_path(where.results, "toys", spec.run_id).with_suffix(TRACE).exists()
    # Bugs keep their traceback; what a user can mend needs none.
    assert ("Traceback" in capsys.readouterr().err) == isinstance(error, ZeroDivisionError)

    breaking(None)
    steps: list[int] = []
    again = execute(spec, replace(where, on_progress=lambda progress: steps.append(progress.done)))
    assert again.status == "ok"
    assert read_record(record_path(where.results, "toys", spec.run_id)) == again
    assert {path.name for path in (where.results / "toys").iterdir()} == {
        f"{spec.run_id}.json",
        f"{spec.run_id}.test.npz",
        f"{spec.run_id}.trace.json",
        f"{str(again.dataset_digest)[:12]}.units.npz",
    }
    calm = execute(spec, run_context(tmp_path / "calm", **BROKEN))
    assert again.arrays_sha256 == calm.arrays_sha256


@pytest.mark.parametrize("when", ["while it trains", "while it is evaluated"])
def test_edited_code_leaves_nothing_of_the_run_and_the_old_record(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    path = record_path(where.results, "toys", spec.run_id)
    module = tmp_path / "edited.py"
    module.write_text("")
    monkeypatch.setitem(sys.modules, "edited", ModuleType("edited"))
    noted: dict[str, loaded_code._Noted] = {}
    monkeypatch.setattr(loaded_code, "_noted", noted)

    def edit(*_: object) -> None:
        noted["edited"] = loaded_code._Noted(module, "of other source", False)

    def evaluated_and_edited(*given: Any) -> Any:
        edit()
        return evaluated(*given)

    for finished in (False, True):
        noted.clear()
        if finished:
            assert execute(spec, where).status == "ok"
        before = path.read_bytes() if finished else b""
        if when == "while it trains":
            record = execute(spec, replace(where, on_epoch=edit))
        else:
            with monkeypatch.context() as patched:
                patched.setattr("kdbench.runs.execute.evaluated", evaluated_and_edited)
                record = execute(spec, where)
        assert record.status == "failed"
        assert "has changed since this process loaded" in record.reason
        assert (record.metrics, record.arrays_sha256, record.trace_sha256) == ({}, None, None)
        assert path.with_suffix(ARRAYS).exists() == finished
        assert path.with_suffix(TRACE).exists() == finished
        assert not finished or path.read_bytes() == before


def test_an_interrupt_leaves_no_record_and_the_run_resumes(tmp_path: Path, breaking: Any) -> None:
    spec, where = run_spec(strategy=plugged("broken")), run_context(tmp_path, **BROKEN)
    breaking(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        execute(spec, where)
    assert not where.results.exists()
    assert len(list(where.cache.root.glob(f"scratch/{spec.run_id}-*/checkpoint.safetensors"))) == 1
    breaking(None)
    told: list[Progress] = []
    again = execute(spec, replace(where, on_progress=told.append))
    assert [progress.done for progress in told if progress.stage == "train"] == list(range(7, 13))
    calm = execute(spec, run_context(tmp_path / "calm", **BROKEN))
    assert again.arrays_sha256 == calm.arrays_sha256
    assert again.weights == calm.weights


def scratch(where: RunContext) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in where.cache.root.glob("scratch/*") if path.is_dir())


def test_scratch_is_removed_once_a_run_is_done_and_not_before(tmp_path: Path, breaking: Any) -> None:
    where = run_context(tmp_path, **BROKEN)
    spec, diverging = run_spec(strategy=plugged("broken")), run_spec(student=plugged("toy", poisoned=True))
    breaking(KdbenchError("not today"))
    execute(spec, where)
    assert scratch(where) == [spec.run_id]
    assert execute(diverging, where).status == "diverged"
    assert scratch(where) == [spec.run_id]
    breaking(None)
    execute(spec, where)
    assert scratch(where) == []


class Changing(Beads):
    """A dataset whose content changes although its spec does not, as a table that is mended."""

    seeds: ClassVar = [0]

    def __init__(self) -> None:
        super().__init__(seed=self.seeds[0])


def test_a_run_resumes_neither_on_other_data_nor_from_a_damaged_checkpoint(tmp_path: Path, breaking: Any) -> None:
    """Each ends as one that was never stopped, and says why it starts anew."""
    offers: dict[str, Any] = {**BROKEN, "datasets": [Offer("changing", Changing)]}
    spec = run_spec(strategy=plugged("broken"), dataset=plugged("changing"))

    def flip() -> None:
        (path,) = (tmp_path / "cache").glob("scratch/*/checkpoint.safetensors")
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    def mend() -> None:
        Changing.seeds[0] = 1

    try:
        for change, told in ((flip, "found sha256 .*, expected"), (mend, "the data have digest .*, it was")):
            where = run_context(tmp_path, **offers)
            breaking(KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                execute(spec, where)
            change()
            breaking(None)
            with pytest.warns(KdbenchWarning, match=told):
                again = execute(spec, where)
            calm = execute(spec, run_context(tmp_path / change.__name__, **offers))
            assert (again.arrays_sha256, again.weights) == (calm.arrays_sha256, calm.weights)
            assert again.dataset_digest == calm.dataset_digest
    finally:
        Changing.seeds[0] = 0


def test_results_folders_that_share_a_cache_share_no_checkpoint(tmp_path: Path, breaking: Any) -> None:
    spec, where = run_spec(strategy=plugged("broken")), run_context(tmp_path, **BROKEN)
    breaking(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        execute(spec, where)
    breaking(None)
    told: list[Progress] = []
    other = execute(spec, replace(where, results=tmp_path / "other", on_progress=told.append))
    assert other.status == "ok"
    assert [progress.done for progress in told if progress.stage == "train"] == list(range(1, 13))
    assert scratch(where) == [spec.run_id]
    told.clear()
    assert execute(spec, replace(where, on_progress=told.append)).arrays_sha256 == other.arrays_sha256
    assert [progress.done for progress in told if progress.stage == "train"] == list(range(7, 13))


@pytest.mark.fault("a clock that is set back")
def test_a_record_that_ends_before_it_begins_is_made_again(tmp_path: Path) -> None:
    """An earlier version left it where the clock was set back; verify refuses it, and no other run of the spec replaces it."""
    spec, where = run_spec(()), run_context(tmp_path)
    record = execute(spec, where)
    path = write_record(where.results, record.replace(started="2025-01-31T08:00:00Z", finished="2025-01-31T07:00:00Z"))
    (problem,) = verify([where.results], where.plugins)[1]
    assert "`kdbench run` repeats it" in str(problem)
    assert execute_once(spec, where).arrays_sha256 == record.arrays_sha256
    assert read_record(path).started != "2025-01-31T08:00:00Z"
    assert verify([where.results], where.plugins)[1] == []


def test_a_run_that_diverges(tmp_path: Path) -> None:
    spec, where = run_spec(student=plugged("toy", poisoned=True)), run_context(tmp_path)
    record = execute(spec, where)
    assert record.status == "diverged"
    assert record.reason == "loss nan at step 1 of 12"
    assert record.metrics == {}
    assert not record_path(where.results, "toys", spec.run_id).with_suffix(ARRAYS).exists()


class Absent:
    """A teacher that cannot take part."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        raise Skip("needs 80 GiB")


def clumsy() -> Student:
    raise TypeError("no such layer")


class Peeking:
    """A teacher that wants the test split."""

    def towers(self, data: TeacherData) -> Towers:
        name: Any = "test"
        data.encode(Sage().image, name)
        raise AssertionError("the test split was handed out")


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"dataset": plugged("bead")}, "failed", "no dataset is called 'bead'; did you mean 'beads'?"),
        ({"student": plugged("toi")}, "failed", "no student is called 'toi'"),
        ({"team": [plugged("absent"), "a"]}, "skipped", "needs 80 GiB"),
        ({"team": [plugged("peeking"), "a"]}, "failed", "a teacher asked for the 'test' split"),
        ({"strategy": plugged("ammkd", C=0.3)}, "skipped", "C = 0.3 is below 1/2"),
        ({"strategy": plugged("fixed", weights={"a": 1.0})}, "skipped", "no weight for b"),
        ({"strategy": plugged("fixed", weights={"a": 0.0, "b": 0.0})}, "failed", "all zero"),
        ({"student": plugged("clumsy")}, "failed", "TypeError: no such layer"),
    ],
)
def test_parts_that_cannot_take_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], status: str, reason: str
) -> None:
    teachers = [Offer("absent", Absent), Offer("peeking", Peeking)]
    where = run_context(tmp_path, teachers=teachers, students=[Offer("clumsy", clumsy)])
    record = execute(run_spec(**changes), where)
    assert record.status == status
    assert reason in record.reason
    assert ("Traceback" in capsys.readouterr().err) == record.reason.startswith("TypeError")


def test_teachers_are_encoded_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.toys import Projection

    counted = Count(Projection.encode)
    monkeypatch.setattr(Projection, "encode", lambda *arguments: counted(*arguments))
    where = run_context(tmp_path)
    for name in ("a", "b"):
        prepare(retrieval_spec(), plugged("beads"), run_spec((name,)).team[0], where, name)
    assert counted.calls == 4  # two towers each, on the train split alone
    records = [execute(run_spec(strategy=plugged(use), seed=seed), where) for use in ("equal", "random") for seed in (0, 1)]
    assert counted.calls == 4
    assert {record.status for record in records} == {"ok"}
    assert len({record.timings["teacher"] for record in records}) == 1


def test_progress_and_epochs_are_told(tmp_path: Path) -> None:
    told: list[Progress] = []
    epochs: list[tuple[str, int, dict[str, float]]] = []
    spec = run_spec()
    where = replace(run_context(tmp_path), on_progress=told.append, on_epoch=lambda *epoch: epochs.append(epoch))
    record = execute(spec, where)
    assert {progress.run_id for progress in told} == {spec.run_id}
    trained = [progress for progress in told if progress.stage == "train"]
    assert [(progress.done, progress.total) for progress in trained] == [(step, 12) for step in range(1, 13)]
    assert all(progress.weights == pytest.approx({"a": 0.5, "b": 0.5}) for progress in trained)
    assert all(progress.loss is not None and progress.loss > 0 for progress in trained)
    assert {"decode train images", "encode train images", "encode train texts", "encode test images"} <= {p.stage for p in told}
    assert [(run_id, epoch) for run_id, epoch, _ in epochs] == [(spec.run_id, epoch) for epoch in (1, 2, 3)]
    assert record.best_epoch is not None
    best = epochs[record.best_epoch - 1][2]
    assert {name: value for name, value in best.items() if name in METRICS} == record.validation


def test_a_student_whose_towers_share_a_layer(tmp_path: Path) -> None:
    where = run_context(tmp_path, students=[Offer("shared", shared_toy)])
    record = execute(run_spec(student=plugged("shared")), where)
    assert (record.status, record.reason) == ("ok", "")


def test_a_record_is_plain_json(tmp_path: Path) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    record = execute(spec, where)
    stored = json.loads(record_path(where.results, "toys", spec.run_id).read_text())
    assert Record(**stored) == record
    assert stored["spec"]["dataset"]["use"] == "beads"
    assert Beads().fingerprint == Beads().fingerprint
