"""`kdbench cache`: entries listed, verified, removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kdbench.storage.cache import Cache, Entry
from kdbench.storage.maker import Maker, made_by
from kdbench.storage.room import amount

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Two entries of 2,000 and 3,000 bytes in the folder that the environment names."""
    made = Cache(tmp_path / "cache")
    for name, size in (("one", 2000), ("two", 3000)):
        made.entry("embeddings", {"teacher": name}, partial(_fill, size))
    made.release()
    return made


def _fill(size: int, folder: Path) -> None:
    (folder / "data.bin").write_bytes(b"x" * size)


def intact(cache: Cache) -> list[Entry]:
    return [entry for entry in cache.entries() if isinstance(entry, Entry)]


def data_of(cache: Cache, name: str) -> Path:
    (entry,) = (entry for entry in intact(cache) if entry.identity == {"teacher": name})
    return entry.folder / "data.bin"


def test_cache_list(cache: Cache, kdbench: Command) -> None:
    code, out, err = kdbench("cache", "list")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[2:-2]]
    assert {row[1] for row in rows} == {entry.folder.name[:12] for entry in intact(cache)}
    assert {tuple(row[-2:]) for row in rows} == {("teacher", "one"), ("teacher", "two")}
    assert {row[0] for row in rows} == {"embeddings"}
    size = amount(sum(entry.bytes for entry in intact(cache)))
    assert out.splitlines()[-1] == f"2 entries, {size}, in {cache.root}; another folder: --cache or KDBENCH_CACHE"


def test_an_empty_cache(kdbench: Command, tmp_path: Path) -> None:
    assert kdbench("cache", "list")[0] == 0
    assert kdbench("cache", "verify")[:2] == (0, "entries intact: 0, damaged: 0\n")
    assert kdbench("cache", "clear", "--yes", "--cache", tmp_path / "none")[0] == 0


def test_cache_verify(cache: Cache, kdbench: Command) -> None:
    assert kdbench("cache", "verify") == (0, "entries intact: 2, damaged: 0\n", "")
    path = data_of(cache, "one")
    path.write_bytes(b"y" + path.read_bytes()[1:])
    code, out, err = kdbench("cache", "verify")
    assert code == 1
    assert out.startswith("entries intact: 1, damaged: 1")
    assert err.startswith(f"damaged: {path}: found sha256 ")


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_damaged_manifest_is_a_damaged_entry(content: str, cache: Cache, kdbench: Command) -> None:
    """It neither hides the other entries nor stops their verification."""
    path = data_of(cache, "one").with_name("manifest.json")
    path.write_text(content)
    code, out, err = kdbench("cache", "verify")
    assert code == 1
    assert out.startswith("entries intact: 1, damaged: 1")
    assert str(path) in err
    code, out, err = kdbench("cache", "list")
    assert "teacher two" in out
    assert str(path) in err


def test_cache_clear_asks(cache: Cache, kdbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.confirm", _refuse)
    code, out, _ = kdbench("cache", "clear")
    assert code == 1
    assert "freed" not in out
    assert len(list(cache.entries())) == 2


def _refuse(question: str, abort: bool) -> None:
    import typer

    assert question.startswith("Remove everything under /")
    assert abort
    raise typer.Abort


def test_cache_clear(cache: Cache, kdbench: Command) -> None:
    code, out, _ = kdbench("cache", "clear", "--yes")
    assert code == 0
    assert re.fullmatch(r"5\.\d kB freed\n", out)
    assert list(cache.entries()) == []


def test_cache_clear_says_what_it_keeps(cache: Cache, kdbench: Command) -> None:
    """What this test has open is another command's to that one."""
    cache.entry("embeddings", {"teacher": "one"}, partial(_fill, 2000))
    kept = kdbench("cache", "clear", "--yes")[1]
    assert re.fullmatch(r"3\.\d kB freed; kept what other commands are using: 1 folder\n", kept)
    assert [entry.identity for entry in intact(cache)] == [{"teacher": "one"}]
    cache.release()
    assert re.fullmatch(r"2\.\d kB freed\n", kdbench("cache", "clear", "--yes")[1])


def test_cache_clear_takes_no_folder_for_a_cache(kdbench: Command, tmp_path: Path) -> None:
    """A path that is a slip, such as a home folder, keeps what no cache has made."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    kdbench("cache", "clear", "--yes", "--cache", home)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_one_plugins_entries_are_removed(tmp_path: Path, kdbench: Command) -> None:
    """By the plugin's name, with or without its kind, by its package, or all of a kind; the others stay."""
    cache = Cache(tmp_path / "cache")
    for plugin, package in (("teacher lens", "kdbench-optics 1.0"), ("teacher tutor", "kdbench-school 2.0")):
        for number in range(2):
            with made_by(Maker(plugins={plugin: package})):
                cache.entry("encodings", {"of": plugin, "number": number}, partial(_fill, 1000))
    cache.entry("datasets", {"of": "shapes"}, partial(_fill, 1000))
    cache.release()

    def left() -> list[str]:
        return sorted(str(entry.identity["of"]) for entry in intact(Cache(tmp_path / "cache")))

    code, _, err = kdbench("cache", "clear", "--yes", "--of", "lense")
    assert code == 2
    assert err.endswith("no entry in " + str(cache.root) + " is of 'lense'; did you mean 'lens'?\n")
    assert re.fullmatch(r"2 entries, \d\.\d kB freed\n", kdbench("cache", "clear", "--yes", "--of", "lens")[1])
    assert left() == ["shapes", "teacher tutor", "teacher tutor"]
    assert kdbench("cache", "clear", "--yes", "--of", "kdbench-school")[0] == 0
    assert left() == ["shapes"]
    assert re.fullmatch(r"1 entry, \d\.\d kB freed\n", kdbench("cache", "clear", "--yes", "--of", "datasets")[1])
    assert left() == []
