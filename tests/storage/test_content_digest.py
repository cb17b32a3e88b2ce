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
from kdbench.storage.digest import digest_of, file_digest

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


def hashed_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are hashed from now on."""
    names: list[str] = []

    def counted(file: Path) -> str:
        names.append(file.name)
        return file_digest(file)

    monkeypatch.setattr(module, "file_digest", counted)
    return names


def test_contents_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all processes that share a cache, and again once a file has changed."""
    folder, hashed = tree(tmp_path, {"a": b"1", "in/b": b"2"}), hashed_by(monkeypatch)
    found = {content_digest([folder], Cache(tmp_path / "cache")) for _ in range(3)}
    assert (len(found), sorted(hashed)) == (1, ["a", "b"])
    (folder / "a").write_bytes(b"one")
    hashed.clear()
    assert content_digest([folder], Cache(tmp_path / "cache")) == oracle({"a": b"one", "in/b": b"2"})
    assert sorted(hashed) == ["a", "b"]


def test_what_may_change_again_without_another_time_is_hashed_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_NS", 10**18)  # all files are young
    folder, hashed, young = tree(tmp_path, {"a": b"1"}), hashed_by(monkeypatch), Cache(tmp_path / "young")
    assert content_digest([folder], young) == content_digest([folder], young) == oracle({"a": b"1"})
    assert hashed == ["a", "a"]
    assert list(young.entries()) == []


def test_links_count_as_what_they_lead_to(tmp_path: Path) -> None:
    """Such as a split on another disk; a link back to its own folder is not followed."""
    cache = Cache(tmp_path / "cache")
    files = {"a": b"1", "in/c": b"2", "in/der/d": b"3"}
    plain, elsewhere = tree(tmp_path, files), tree(tmp_path, {"c": b"2", "der/d": b"3"})
    linked = tree(tmp_path, {"a": b"1"})
    (linked / "in").symlink_to(elsewhere)
    (elsewhere / "der" / "up").symlink_to(linked)
    (elsewhere / "der" / "here").symlink_to(".")
    before = content_digest([linked], cache)
    assert before == content_digest([plain], cache) == oracle(files)
    (elsewhere / "der" / "d").write_bytes(b"33")
    assert content_digest([linked], cache) == oracle({**files, "in/der/d": b"33"}) != before


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    folder = tree(tmp_path, {"a": b"1"})
    os.mkfifo(folder / "pipe")
    expected = digest_of([["a", hashlib.sha256(b"1").hexdigest()], ["pipe", None]])
    assert content_digest([folder], Cache(tmp_path / "cache")) == expected
    assert content_digest([Path("/dev/zero")], Cache(tmp_path / "cache")) == digest_of([["", None]])


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
    """Another program writes to it whenever it is read."""
    folder = tree(tmp_path, {"a": b"1"})

    def read_while_written(file: Path) -> str:
        digest = file_digest(file)
        with file.open("ab") as stream:
            stream.write(b"more")
        return digest

    monkeypatch.setattr(module, "file_digest", read_while_written)
    with pytest.raises(KdbenchError, match="changes while it is read"):
        content_digest([folder], Cache(tmp_path / "cache"))


def test_a_file_that_changes_once_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, waiting = tree(tmp_path, {"a": b"1"}), [b"written"]

    def read_while_written(file: Path) -> str:
        digest = file_digest(file)
        if waiting:
            file.write_bytes(waiting.pop())
        return digest

    monkeypatch.setattr(module, "file_digest", read_while_written)
    assert content_digest([folder], Cache(tmp_path / "cache")) == oracle({"a": b"written"})


def test_results_and_cache_in_a_folder_are_none_of_its_contents(tmp_path: Path) -> None:
    """They change with each run, which would make every record one of other files."""
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data/a").write_bytes(b"1")
    for own in ("results/tiny", "cache"):
        (folder / own).mkdir(parents=True)
        (folder / own / "file").write_bytes(b"made by a run")
    cache = Cache(folder / "cache")
    assert content_digest([folder], cache, folder / "results") == oracle({"data/a": b"1"})
    assert content_digest([folder], cache) == oracle({"data/a": b"1", "results/tiny/file": b"made by a run"})
    assert content_digest([folder / "results"], cache, folder / "results") == oracle({"tiny/file": b"made by a run"})
