"""Folders, bundles and memory give the same files."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from kdbench.errors import RecordError
from kdbench.records.files import read_record
from kdbench.records.sources import Disk, InMemory, OpenBundle, RecordFile, Source
from tests.support.made_records import DIGEST, made, packed


def test_the_names_of_a_record_s_files(tmp_path: Path) -> None:
    path = made(tmp_path)
    record, file = read_record(path), RecordFile(Disk(), path.as_posix())
    stem = (tmp_path / "toys" / record.run_id).as_posix()
    assert (file.arrays, file.trace) == (f"{stem}.test.npz", f"{stem}.trace.json")
    assert file.units(record) == (tmp_path / "toys" / f"{DIGEST[:12]}.units.npz").as_posix()
    assert (file.stem, file.folder, file.where) == (record.run_id, str(tmp_path / "toys"), str(path))
    assert file.read(file.name) == path.read_bytes()


def test_every_source_gives_bytes_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_bytes(b"{}")
    bundle = packed(tmp_path / "b.zip", {"a/b.json": b"{}"})
    with ZipFile(bundle) as archive:
        sources: list[tuple[Source, str]] = [
            (Disk(), f"{tmp_path}/a/b.json"),
            (OpenBundle(bundle, archive), "a/b.json"),
            (InMemory({"a/b.json": b"{}"}, f"{bundle}:a/b.json"), "a/b.json"),
        ]
        for source, name in sources:
            assert source.read(name) == b"{}"
            assert source.read(name.replace("b.json", "c.json")) is None
        assert [source.shown(name) for source, name in sources] == [
            f"{tmp_path}/a/b.json",
            f"{bundle}:a/b.json",
            f"{bundle}:a/b.json",
        ]


def test_a_file_of_a_bundle_takes_no_more_memory_than_it_states(tmp_path: Path) -> None:
    size = 20 * 2**20
    path = tmp_path / "b.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a/b.json", bytes(size))
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little")))
    with ZipFile(path) as archive:
        tracemalloc.start()
        try:
            with pytest.raises(RecordError, match="Bad CRC-32"):
                OpenBundle(path, archive).read("a/b.json")
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


def test_files_in_a_folder_beside_a_record(tmp_path: Path) -> None:
    files = {f"toys/{name}": b"" for name in ("r.json", "sweep/a.json", "sweep/b.json", "sweep/c.txt", "profiles/d.json")}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    bundle = packed(tmp_path / "b.zip", files)
    found = Disk().beside(f"{tmp_path}/toys/r.json", "sweep", ".json")
    assert found == [f"{tmp_path}/toys/sweep/a.json", f"{tmp_path}/toys/sweep/b.json"]
    with ZipFile(bundle) as archive:
        beside = OpenBundle(bundle, archive).beside("toys/r.json", "sweep", ".json")
    assert beside == ["toys/sweep/a.json", "toys/sweep/b.json"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        Disk().read(str(tmp_path))  # a folder
    with pytest.raises(RecordError, match="cannot be read"):
        Disk().read(f"{tmp_path}/\0.units.npz")  # the digest of a record that has been changed is part of a name
    with pytest.raises(RecordError, match="torn"):
        InMemory({"a": RecordError("torn")}, "b.zip:a").read("a")
