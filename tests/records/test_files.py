"""Records, arrays, traces and test units on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.errors import KdbenchError, RecordError
from kdbench.records.files import (
    find_records,
    read_arrays,
    read_record,
    read_trace,
    record_path,
    recorded,
    units_path,
    write_arrays,
    write_record,
    write_trace,
    write_units,
)
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.storage.archives import whole_rows
from kdbench.storage.digest import file_digest
from kdbench.suite.spec import RunSpec
from tests.support.made_records import arrays_path, edit, made, trace_path
from tests.support.toys import plugged, run_spec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
DIGEST = "d" * 64


def ranks_of(*values: int) -> dict[str, NDArray[Any]]:
    return {"text": np.array(values, dtype=np.int32), "image": np.array(values[::-1], dtype=np.int32)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_written_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    written = record(spec(), rsum=123.456, reason="", best_epoch=3, dirty=True)
    path = write_record(tmp_path, written)
    assert path == record_path(tmp_path, "tiny", spec().run_id) == tmp_path / "tiny" / f"{spec().run_id}.json"
    assert read_record(path) == recorded(tmp_path, spec()) == written
    assert names(tmp_path) == [path.name]
    assert read_record(path).spec == spec()


def test_metrics_keep_every_digit(spec: Spec, record: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("digits")

    @given(st.floats(-1e100, 1e100))
    def check(value: float) -> None:
        assert read_record(write_record(folder, record(spec(), metrics={"rsum": value}))).metrics == {"rsum": value}

    check()


def test_a_write_that_is_cut_short_changes_nothing(
    spec: Spec, record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads sees the old record or the new one, never half of one, and the half is not taken for a record."""
    path = write_record(tmp_path, record(spec(), rsum=1.0))

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", power_cut)
        with pytest.raises(OSError, match="power cut"):
            write_record(tmp_path, record(spec(), rsum=2.0))
    assert read_record(path).metrics["rsum"] == 1.0
    assert find_records([tmp_path]) == [path]
    write_record(tmp_path, record(spec(), rsum=3.0))
    assert read_record(path).metrics["rsum"] == 3.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content["metrics"].update(rsum="high"), "metrics.rsum"),
        (lambda content: content.update(status="fine"), "status"),
        (lambda content: content.update(format=3), "format"),
        (lambda content: content.update(rank=1), "rank"),
        (lambda content: content.pop("run_id"), "run_id"),
        (lambda content: content.update(spec=[]), "spec"),
        (lambda content: content["spec"].update(seed="0"), "spec.seed"),
        (lambda content: content["spec"]["train"].update(lr=-1.0), "spec.train.lr"),
    ],
)
def test_an_edited_record_is_refused(
    change: Callable[[dict[str, Any]], object], field: str, spec: Spec, record: Make, tmp_path: Path
) -> None:
    path = write_record(tmp_path, record(spec()))
    edit(path, change)
    with pytest.raises(RecordError) as raised:
        read_record(path)
    assert str(raised.value).startswith(f"{path}: not a record: {field}: ")
    assert recorded(tmp_path, spec()) is None


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda _: b"", lambda _: b"\xff\xfe", lambda _: b"[1, 2]"])
def test_a_damaged_record_is_refused(damage: Callable[[bytes], bytes], spec: Spec, record: Make, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(spec()))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RecordError, match=f"^{path}: not a record: the file: "):
        read_record(path)
    assert recorded(tmp_path, spec()) is None


def test_a_record_that_is_not_there(spec: Spec, tmp_path: Path) -> None:
    assert recorded(tmp_path, spec()) is None
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "absent.json")
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "\0.json")


def test_a_default_that_changed_without_a_new_version_is_told(tmp_path: Path) -> None:
    """Its run has the id of the recorded one, and is another."""
    then = run_spec(student=plugged("toy", width=8).replace(defaults={"width": 8}))
    path = made(tmp_path, spec=then)
    now = run_spec(student=plugged("toy", width=16).replace(defaults={"width": 16}))
    assert now.run_id == then.run_id
    assert recorded(tmp_path, then) is not None
    with pytest.raises(
        KdbenchError, match=r"a default has changed .*toy.width: 8 then, 16 now.*raises its `Offer.version`"
    ) as raised:
        recorded(tmp_path, now)
    assert str(path) in str(raised.value)
    raised_version = run_spec(student=now.student.replace(version=2))
    assert recorded(tmp_path, raised_version) is None


def with_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]], record: Record) -> Path:
    path = record_path(folder, "tiny", record.run_id)
    sizes = {"images": 3, "captions": 3, "concepts": 3}
    return write_record(folder, record.replace(arrays_sha256=write_arrays(path, arrays), sizes=sizes))


def test_arrays_that_are_written_are_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_arrays(tmp_path, ranks_of(1, 2, 3), record(spec()))
    found = read_arrays(path)
    assert found["text"].tolist() == [1, 2, 3]
    assert found["image"].tolist() == [3, 2, 1]
    assert found["text"].dtype == found["image"].dtype == np.int32
    assert names(tmp_path) == sorted([path.name, arrays_path(path).name]) == [f"{path.stem}.json", f"{path.stem}.test.npz"]


@pytest.mark.parametrize(
    ("largest", "itemsize"), [(3, 2), (2**16 - 1, 2), (2**16, 4), (100_000, 4), (2**32 - 1, 4), (2**32, 8), (2**40, 8)]
)
def test_whole_numbers_take_as_few_bytes_as_fit(largest: int, itemsize: int, tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.json", {"a": np.array([1, 2, largest])})
    with np.load(tmp_path / "a.test.npz") as found:
        assert (found["a"].tolist(), found["a"].dtype.itemsize) == ([1, 2, largest], itemsize)


@pytest.mark.parametrize("values", [np.array([-1, 2]), np.array([0.5, 1e300]), np.arange(6.0, dtype=np.float32).reshape(2, 3)])
def test_other_numbers_stay_as_they_are(values: NDArray[Any], tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.json", {"a": values})
    with np.load(tmp_path / "a.test.npz") as found:
        np.testing.assert_array_equal(found["a"], values)
        assert found["a"].dtype == values.dtype


def test_equal_arrays_are_equal_files(spec: Spec, tmp_path: Path) -> None:
    """Two machines that agree make no conflict in git."""
    digests = {write_arrays(tmp_path / name / f"{spec().run_id}.json", ranks_of(1, 2, 3)) for name in ("one", "other")}
    assert len(digests) == 1
    assert write_arrays(tmp_path / "third.json", ranks_of(1, 2, 4)) not in digests


def test_arrays_that_were_altered_are_refused(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_arrays(tmp_path, ranks_of(1, 2, 3), record(spec()))
    write_arrays(path, ranks_of(1, 1, 1))
    with pytest.raises(RecordError, match=f"{arrays_path(path)}: its sha256 is .*, not the one in its record"):
        read_arrays(path)


def test_arrays_that_are_missing_or_were_never_there(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_arrays(tmp_path, ranks_of(1, 2, 3), record(spec()))
    arrays_path(path).unlink()
    with pytest.raises(RecordError, match=f"{arrays_path(path)}: no such file"):
        read_arrays(path)
    failed = write_record(tmp_path, record(spec(seed=1), status="failed", metrics={}))
    with pytest.raises(RecordError, match=f"{arrays_path(failed)}: its record was written without arrays"):
        read_arrays(failed)


def test_arrays_of_another_task_are_refused(spec: Spec, record: Make, tmp_path: Path) -> None:
    """What is in them is the task's to say; here a rank is larger than the number of candidates."""
    path = with_arrays(tmp_path, ranks_of(1, 2, 100), record(spec()))
    with pytest.raises(RecordError, match=f"{arrays_path(path)}: text ranks out of range: found 1 to 100, expected 1 to 3"):
        read_arrays(path)


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("content", ["pickles", "other arrays", "no zip", "half a zip"])
def test_other_contents_are_refused_although_the_sum_agrees(content: str, spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_arrays(tmp_path, ranks_of(1, 2, 3), record(spec()))
    place, made = arrays_path(path), tmp_path / "made"
    trap = np.array([Trap(made)], dtype=object)
    whole = place.read_bytes()
    with place.open("wb") as stream:
        if content == "pickles":
            np.savez(stream, text=trap, image=trap)
        elif content == "other arrays":
            np.savez(stream, text=np.ones(3))
        else:
            stream.write(b"ranks" if content == "no zip" else whole[: len(whole) // 2])
    edit(path, lambda content: content.update(arrays_sha256=file_digest(place)))
    with pytest.raises(RecordError, match=f"^{place}: "):
        read_arrays(path)
    assert not made.exists()


TRACE = Trace(
    step=[3, 6],
    loss=[1.25, 0.123456],
    weights={"lehrer ä": [0.5, 1.0]},
    cosines={"a · b": [-0.5, 0.0]},
    conflict=[1, 0],
    report={"late": [None, 2.0]},
)


def with_trace(folder: Path, record: Record) -> Path:
    sha256 = write_trace(record_path(folder, "tiny", record.run_id), TRACE)
    return write_record(folder, record.replace(trace_sha256=sha256))


def test_a_trace_that_is_written_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_trace(tmp_path, record(spec()))
    assert read_trace(path) == TRACE
    assert list(json.loads(trace_path(path).read_text())) == ["step", "loss", "weights", "cosines", "conflict", "report"]
    assert names(tmp_path) == [path.name, trace_path(path).name] == [f"{spec().run_id}.json", f"{spec().run_id}.trace.json"]
    assert "lehrer ä" in trace_path(path).read_text(encoding="utf-8")  # as a person would write it
    assert find_records([tmp_path]) == [path]  # it is not taken for a record


def test_equal_traces_are_equal_files(spec: Spec, tmp_path: Path) -> None:
    digests = {write_trace(tmp_path / name / f"{spec().run_id}.json", TRACE) for name in ("one", "other")}
    assert len(digests) == 1
    assert write_trace(tmp_path / "third.json", Trace(**TRACE.model_dump() | {"step": [3, 7]})) not in digests


def test_a_trace_that_was_altered_is_refused(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_trace(tmp_path, record(spec()))
    write_trace(path, Trace(**TRACE.model_dump() | {"loss": [0.0, 0.0]}))
    with pytest.raises(RecordError, match=f"{trace_path(path)}: its sha256 is .*, not the one in its record"):
        read_trace(path)


def test_a_trace_that_is_missing_or_was_never_there(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_trace(tmp_path, record(spec()))
    trace_path(path).unlink()
    with pytest.raises(RecordError, match=f"{trace_path(path)}: no such file"):
        read_trace(path)
    old = write_record(tmp_path, record(spec(seed=1)))
    with pytest.raises(RecordError, match=f"{trace_path(old)}: its record was written without a trace"):
        read_trace(old)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1, 2", b'{"step": [2, 1]}'])
def test_a_trace_that_is_none_is_refused_although_the_sum_agrees(
    content: bytes, spec: Spec, record: Make, tmp_path: Path
) -> None:
    path = with_trace(tmp_path, record(spec()))
    trace_path(path).write_bytes(content)
    edit(path, lambda record: record.update(trace_sha256=file_digest(trace_path(path))))
    with pytest.raises(RecordError, match=f"{trace_path(path)}: cannot be read"):
        read_trace(path)


def test_a_trace_cut_short_leaves_the_old_one(
    spec: Spec, record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_trace(tmp_path, record(spec()))

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", power_cut)
        with pytest.raises(OSError, match="power cut"):
            write_trace(path, Trace())
    assert read_trace(path) == TRACE


UNITS = {"images": np.array([7, 9, 7]), "captions": np.array([9, 9, 7, 7])}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1), st.lists(st.integers(-9, 9), min_size=1))
def test_queries_of_one_unit_stay_together(tmp_path: Path, images: list[int], captions: list[int]) -> None:
    record = tmp_path / "run.json"
    write_units(record, DIGEST, {"images": np.array(images), "captions": np.array(captions)})
    units = whole_rows(units_path(record, DIGEST).read_bytes(), max(len(images), len(captions)))
    assert [len(units["images"]), len(units["captions"])] == [len(images), len(captions)]
    found, given_ = np.concatenate([units["images"], units["captions"]]), np.array([*images, *captions])
    assert ((found[:, None] == found) == (given_[:, None] == given_)).all()
    assert list(dict.fromkeys(found.tolist())) == list(range(len({*images, *captions})))  # numbered as they come


def test_the_same_units_under_other_numbers_make_the_same_file(tmp_path: Path) -> None:
    one = write_units(tmp_path / "a" / "run.json", DIGEST, UNITS)
    assert write_units(tmp_path / "b" / "run.json", DIGEST, {name: 50 - part for name, part in UNITS.items()}) == one
    assert write_units(tmp_path / "c" / "run.json", DIGEST, UNITS | {"captions": UNITS["captions"][::-1]}) != one


def test_a_task_without_units_has_no_file(tmp_path: Path) -> None:
    assert write_units(tmp_path / "run.json", DIGEST, {}) is None
    assert names(tmp_path) == []


def test_runs_of_one_dataset_share_a_file_of_units(tmp_path: Path) -> None:
    assert units_path(tmp_path / "a.json", DIGEST) == units_path(tmp_path / "b.json", DIGEST)
    assert units_path(tmp_path / "a.json", "e" * 64) != units_path(tmp_path / "a.json", DIGEST)


def test_a_record_without_the_latest_fields_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(spec()))
    new = ("reconstructions", "dynamics", "trace_sha256")
    edit(path, lambda content: [content.pop(name) for name in new])
    found = read_record(path)
    assert (found.reconstructions, found.dynamics, found.trace_sha256) == ([], {}, None)
    assert found == record(spec())


def test_find_records(spec: Spec, record: Make, tmp_path: Path) -> None:
    one, two = (write_record(tmp_path, record(spec(seed=seed))) for seed in (0, 1))
    write_arrays(one, ranks_of(1, 2, 3))
    write_trace(one, TRACE)
    for name in ("notes.json", "schema.json", "abcdefabcdeg.json", "abcdefabcdef0.json", "ABCDEFABCDEF.json"):
        (tmp_path / "tiny" / name).write_text("{}")
    assert find_records([tmp_path]) == sorted([one, two])
    assert find_records([two]) == [two]
    assert find_records([two, one]) == [two, one]
    assert find_records([]) == []


def test_a_record_found_twice_is_one(spec: Spec, record: Make, tmp_path: Path) -> None:
    """`kdbench leaderboard results results/tiny` must not count seeds twice."""
    path = write_record(tmp_path, record(spec()))
    assert find_records([tmp_path, tmp_path / "tiny", path]) == [path]


def test_a_folder_without_records(tmp_path: Path) -> None:
    assert find_records([tmp_path]) == []
    with pytest.raises(RecordError, match="absent: no such file or folder"):
        find_records([tmp_path / "absent"])
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    with pytest.raises(RecordError, match=r"mine\.yaml: found a suite; expected its records, a folder such as results/mine"):
        find_records([tmp_path / "mine.yaml"])
