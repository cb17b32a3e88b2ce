"""The digest of what files hold: by contents, whatever is done to names, places and times, and hashed once."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.errors import KdbenchError
from kdbench.storage import content_digest as module
from kdbench.storage.cache import Cache
from kdbench.storage.content_digest import content_digest
from kdbench.storage.digest import digest_of

NAMES = st.sampled_from(["a", "b.txt", "in/c", "in/der/d", ".hidden"])
TREES = st.dictionaries(NAMES, st.binary(max_size=3), min_size=1)
FOLDERS = count()


def tree(root: Path, files: dict[str, bytes]) -> Path:
    folder = root / str(next(FOLDERS))
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def oracle(files: dict[str, bytes]) -> str:
    """All files of a folder, read one by one."""
    shown = sorted((name.split("/"), name) for name in files if not name.startswith("."))
    in_order = [name for _, name in sorted(shown, key=lambda one: (one[0][:-1], one[0][-1]))]
    found = [[name, hashlib.sha256(files[name]).hexdigest()] for name in in_order]
    return digest_of(found) if found else ""


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of files as young as those of tests are kept, too."""
    monkeypatch.setattr(module, "SETTLED_NS", 0)


def test_it_is_that_of_the_contents(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")

    @given(TREES, TREES)
    def holds(files: dict[str, bytes], others: dict[str, bytes]) -> None:
        one, other = tree(tmp_path, files), tree(tmp_path, others)
        shown, also = ({k: v for k, v in found.items() if not k.startswith(".")} for found in (files, others))
        assert content_digest([one], cache) == oracle(files)
        assert (content_digest([one], cache) == content_digest([other], cache)) == (shown == also)

    holds()


def test_another_content_of_the_same_size_name_and_time_is_noticed(tmp_path: Path) -> None:
    """Such as weights that are copied with their time over others of the same model."""
    cache = Cache(tmp_path / "cache")

    @settings(max_examples=30)
    @given(st.binary(min_size=1, max_size=4), st.booleans())
    def holds(content: bytes, replaced: bool) -> None:
        folder = tree(tmp_path, {"weights": content})
        path, before = folder / "weights", content_digest([folder], cache)
        state = path.stat()
        changed = bytes([content[0] ^ 1]) + content[1:]
        if replaced:
            (folder / ".new").write_bytes(changed)
            os.replace(folder / ".new", path)
        else:
            path.write_bytes(changed)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert path.stat().st_size == state.st_size
        assert content_digest([folder], cache) == oracle({"weights": changed}) != before

    holds()


def test_moving_copying_and_touching_change_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    folder = tree(tmp_path, {"a": b"1", "in/b": b"2"})
    before = content_digest([folder, folder / "a"], cache)
    os.utime(folder / "a", ns=(1, 1))
    assert content_digest([folder, folder / "a"], cache) == before
    shutil.copytree(folder, tmp_path / "copy")
    assert content_digest([tmp_path / "copy", tmp_path / "copy/a"], cache) == before
    folder.rename(tmp_path / "moved")
    (tmp_path / "moved/a").rename(tmp_path / "renamed")
    shutil.copy(tmp_path / "renamed", tmp_path / "moved/a")
    assert content_digest([tmp_path / "moved", tmp_path / "renamed"], cache) == before


def test_order_and_missing_files_count(tmp_path: Path) -> None:
    cache, folder = Cache(tmp_path / "cache"), tree(tmp_path, {"a": b"1", "b": b"2"})
    a, b, none = folder / "a", folder / "b", folder / "none"
    assert len({content_digest(paths, cache) for paths in ([a, b], [b, a], [a], [a, none], [none], [])}) == 6
    assert content_digest([], cache) == ""


def test_contents_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, folder = Cache(tmp_path / "cache"), tree(tmp_path, {"a": b"1"})
    before = content_digest([folder], cache)
    assert [entry.kind for entry in cache.entries() if not isinstance(entry, Exception)] == ["contents"]
    (folder / "a").chmod(0)  # it cannot be read again
    state = (folder / "a").stat()
    (folder / "a").chmod(0o644)
    assert content_digest([folder], cache) == before
    assert state.st_size == 1
    monkeypatch.setattr(module, "SETTLED_NS", 10**18)  # all files are young
    young = Cache(tmp_path / "young")
    assert content_digest([folder], young) == before
    assert list(young.entries()) == []


def test_a_file_from_the_future_is_hashed_once_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another machine's clock or time zone: it was hashed again whenever a run was looked up."""
    file = tree(tmp_path, {"a": b"one"}) / "a"
    monkeypatch.setattr(module, "SETTLED_NS", 1)
    os.utime(file, ns=(time.time_ns() + 10**15,) * 2)
    cache = Cache(tmp_path / "cache")
    content_digest([file], cache)
    assert len(list(cache.entries())) == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    folder = tree(tmp_path, {"a": b"1"})
    (folder / "a").chmod(0)
    with pytest.raises(KdbenchError, match=f"{folder}/a: cannot be read"):
        content_digest([folder], Cache(tmp_path / "cache"))


def test_a_file_that_never_stops_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree(tmp_path, {"a": b"1"})

    def growing(file: Path) -> str:
        with file.open("ab") as stream:
            stream.write(b"more")
        return "digest"

    monkeypatch.setattr(module, "file_digest", growing)
    with pytest.raises(KdbenchError, match="changes while it is read"):
        content_digest([folder], Cache(tmp_path / "cache"))
