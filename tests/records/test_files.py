"""Records and ranks on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.records.record import (
    Record,
    find_records,
    ranks_path,
    read_ranks,
    read_record,
    read_series,
    record_path,
    recorded,
    series_path,
    write_ranks,
    write_record,
    write_series,
)
from kdbench.storage.digest import file_digest
from kdbench.suite.plan import RunSpec
from kdbench.tasks.retrieval.ranks import Ranks

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


def ranks_of(*values: int) -> Ranks:
    return Ranks(text=np.array(values, dtype=np.int32), image=np.array(values[::-1], dtype=np.int32))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_written_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    written = record(spec(), rsum=123.456, reason="", best_epoch=3, dirty=True)
    path = write_record(tmp_path, written)
    assert path == record_path(tmp_path, "tiny", spec().run_id) == tmp_path / "tiny" / f"{spec().run_id}.json"
    assert read_record(path) == recorded(tmp_path, "tiny", spec().run_id) == written
    assert names(tmp_path) == [path.name]
    assert RunSpec(**read_record(path).spec).run_id == spec().run_id


def test_metrics_keep_every_digit(spec: Spec, record: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("digits")

    @given(st.floats(allow_nan=False, allow_infinity=False))
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


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content["metrics"].update(rsum="high"), "metrics.rsum"),
        (lambda content: content.update(status="fine"), "status"),
        (lambda content: content.update(format=2), "format"),
        (lambda content: content.update(rank=1), "rank"),
        (lambda content: content.pop("run_id"), "run_id"),
        (lambda content: content.update(spec=[]), "spec"),
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
    assert recorded(tmp_path, "tiny", spec().run_id) is None


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda _: b"", lambda _: b"\xff\xfe", lambda _: b"[1, 2]"])
def test_a_damaged_record_is_refused(damage: Callable[[bytes], bytes], spec: Spec, record: Make, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(spec()))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RecordError, match=f"^{path}: not a record: the file: "):
        read_record(path)
    assert recorded(tmp_path, "tiny", spec().run_id) is None


def test_a_record_that_is_not_there(tmp_path: Path) -> None:
    assert recorded(tmp_path, "tiny", "0" * 12) is None
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "absent.json")


def with_ranks(folder: Path, ranks: Ranks, record: Record) -> Path:
    path = record_path(folder, "tiny", record.run_id)
    sha256 = write_ranks(path, ranks)
    return write_record(folder, record.model_copy(update={"ranks_sha256": sha256}))


@pytest.mark.parametrize("largest", [3, 2**16 - 1, 2**16, 100_000])
def test_ranks_that_are_written_are_read(largest: int, spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_ranks(tmp_path, ranks_of(1, 2, largest), record(spec()))
    found = read_ranks(path)
    assert found.text.tolist() == [1, 2, largest]
    assert found.image.tolist() == [largest, 2, 1]
    assert found.text.dtype == found.image.dtype == np.int32
    assert names(tmp_path) == sorted([path.name, ranks_path(path).name])


def test_equal_ranks_are_equal_files(spec: Spec, tmp_path: Path) -> None:
    """Two machines that agree make no conflict in git."""
    digests = {write_ranks(tmp_path / name / f"{spec().run_id}.json", ranks_of(1, 2, 3)) for name in ("one", "other")}
    assert len(digests) == 1
    assert write_ranks(tmp_path / "third.json", ranks_of(1, 2, 4)) not in digests


def test_ranks_that_were_altered_are_refused(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_ranks(tmp_path, ranks_of(1, 2, 3), record(spec()))
    write_ranks(path, ranks_of(1, 1, 1))
    with pytest.raises(RecordError, match=f"{ranks_path(path)}: its sha256 is not the one its record holds"):
        read_ranks(path)


def test_ranks_that_are_missing(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_ranks(tmp_path, ranks_of(1, 2, 3), record(spec()))
    ranks_path(path).unlink()
    with pytest.raises(RecordError, match=f"{ranks_path(path)}: cannot be read"):
        read_ranks(path)


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("content", ["pickles", "other arrays", "no zip", "half a zip"])
def test_other_contents_are_refused_although_the_sum_agrees(content: str, spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_ranks(tmp_path, ranks_of(1, 2, 3), record(spec()))
    place, made = ranks_path(path), tmp_path / "made"
    trap = np.array([Trap(made)], dtype=object)
    whole = place.read_bytes()
    with place.open("wb") as stream:
        if content == "pickles":
            np.savez(stream, text=trap, image=trap)
        elif content == "other arrays":
            np.savez(stream, text=np.ones(3))
        else:
            stream.write(b"ranks" if content == "no zip" else whole[: len(whole) // 2])
    edit(path, lambda content: content.update(ranks_sha256=file_digest(place)))
    with pytest.raises(RecordError, match=f"{place}: cannot be read"):
        read_ranks(path)
    assert not made.exists()


SERIES: dict[str, Any] = {
    "step": [3, 6],
    "loss": [1.25, 0.123456],
    "weights": {"lehrer ä": [0.5, 1.0]},
    "cosines": {"a · b": [-0.5, 0.0]},
    "conflict": [1, 0],
    "report": {"late": [None, 2.0]},
}


def with_series(folder: Path, record: Record) -> Path:
    sha256 = write_series(record_path(folder, "tiny", record.run_id), SERIES)
    return write_record(folder, record.model_copy(update={"series_sha256": sha256}))


def test_a_series_that_is_written_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_series(tmp_path, record(spec()))
    assert read_series(path) == SERIES
    assert list(read_series(path)) == list(SERIES)
    assert names(tmp_path) == [path.name, series_path(path).name] == [f"{spec().run_id}.json", f"{spec().run_id}.series.json"]
    assert "lehrer ä" in series_path(path).read_text(encoding="utf-8")  # as a person would write it
    assert find_records([tmp_path]) == [path]  # it is not taken for a record


def test_equal_series_are_equal_files(spec: Spec, tmp_path: Path) -> None:
    digests = {write_series(tmp_path / name / f"{spec().run_id}.json", SERIES) for name in ("one", "other")}
    assert len(digests) == 1
    assert write_series(tmp_path / "third.json", SERIES | {"step": [3, 7]}) not in digests


def test_a_series_that_was_altered_is_refused(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_series(tmp_path, record(spec()))
    write_series(path, SERIES | {"loss": [0.0, 0.0]})
    with pytest.raises(RecordError, match=f"{series_path(path)}: its sha256 is not the one its record holds"):
        read_series(path)


def test_a_series_that_is_missing_or_was_never_there(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = with_series(tmp_path, record(spec()))
    series_path(path).unlink()
    with pytest.raises(RecordError, match=f"{series_path(path)}: cannot be read"):
        read_series(path)
    old = write_record(tmp_path, record(spec(seed=1)))
    with pytest.raises(RecordError, match=f"{series_path(old)}: its record was written without a series"):
        read_series(old)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1, 2"])
def test_a_series_that_is_no_json_is_refused_although_the_sum_agrees(
    content: bytes, spec: Spec, record: Make, tmp_path: Path
) -> None:
    path = with_series(tmp_path, record(spec()))
    series_path(path).write_bytes(content)
    edit(path, lambda record: record.update(series_sha256=file_digest(series_path(path))))
    with pytest.raises(RecordError, match=f"{series_path(path)}: cannot be read"):
        read_series(path)


def test_a_series_cut_short_leaves_the_old_one(
    spec: Spec, record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_series(tmp_path, record(spec()))

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", power_cut)
        with pytest.raises(OSError, match="power cut"):
            write_series(path, {})
    assert read_series(path) == SERIES


def test_a_record_from_before_there_were_series_is_read(spec: Spec, record: Make, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(spec()))
    new = ("reconstructions", "dynamics", "series_sha256")
    edit(path, lambda content: [content.pop(name) for name in new])
    found = read_record(path)
    assert (found.reconstructions, found.dynamics, found.series_sha256) == ([], {}, None)
    assert found == record(spec())


def test_find_records(spec: Spec, record: Make, tmp_path: Path) -> None:
    one, two = (write_record(tmp_path, record(spec(seed=seed))) for seed in (0, 1))
    write_ranks(one, ranks_of(1, 2, 3))
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


def test_a_place_without_records(tmp_path: Path) -> None:
    assert find_records([tmp_path]) == []
    with pytest.raises(RecordError, match="absent: no such file or folder"):
        find_records([tmp_path / "absent"])
