"""The cache: made once, by whoever comes first, and never trusted blindly."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import CacheError, KdbenchWarning
from kdbench.storage.cache import MANIFEST, Cache, FilledCache, default_root
from kdbench.storage.checkpoint import save, save_weights
from kdbench.storage.digest import digest_of, file_digest
from kdbench.storage.locks import tell_of_waits
from tests.support.patience import PATIENCE, until
from tests.support.toys import Count

IDENTITY = {"weights": "abc", "size": 3}


def two_files(folder: Path) -> None:
    (folder / "values.bin").write_bytes(bytes(range(256)))
    (folder / "names.txt").write_text("one two three")


def writing(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "text").write_text(text)

    return make


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    make = Count(two_files)
    cache = Cache(tmp_path)
    first = cache.entry("things", IDENTITY, make)
    assert cache.entry("things", dict(reversed(IDENTITY.items())), make) == first
    assert Cache(tmp_path).entry("things", IDENTITY, make) == first
    assert make.calls == 1
    assert (first.folder / "names.txt").read_text() == "one two three"
    assert (first.kind, first.identity, first.bytes) == ("things", IDENTITY, 256 + 13)
    assert first.files["values.bin"] == {"bytes": 256, "sha256": file_digest(first.folder / "values.bin")}


def test_the_key_follows_the_identity_and_the_kind(tmp_path: Path) -> None:
    make = Count(two_files)
    cache = Cache(tmp_path)
    folders = {
        cache.entry(kind, identity, make).folder
        for kind in ("things", "others")
        for identity in (IDENTITY, {**IDENTITY, "size": 4}, {"weights": "abc"}, {"weights": "abc", "size": "3"})
    }
    assert len(folders) == make.calls == 8


WORDS = st.text("abcé ", max_size=4)
VALUES = st.one_of(st.integers(), st.booleans(), st.none(), WORDS, st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(WORDS, VALUES), VALUES)
def test_the_digest_follows_the_value_and_not_the_order_of_keys(value: dict[str, object], other: object) -> None:
    expected = digest_of(value)
    assert digest_of(dict(reversed(value.items()))) == expected
    assert digest_of({**value, "further": other}) != expected


def test_a_value_without_canonical_form_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"lr": float("nan")})


def test_the_contents_have_a_digest(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    digests = [cache.entry("things", {"id": place}, writing(text)).digest for place, text in enumerate("aab")]
    assert digests[0] == digests[1] != digests[2]


def flip(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def piped(path: Path) -> None:
    """What would block whoever reads it."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.fault("a damaged entry of the cache")
@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink, piped])
@pytest.mark.parametrize("file", ["values.bin", "names.txt", MANIFEST])
def test_damage_is_noticed_told_and_mended(tmp_path: Path, damage: Callable[[Path], None], file: str) -> None:
    make = Count(two_files)
    entry = Cache(tmp_path).entry("things", IDENTITY, make)
    damage(entry.folder / file)
    with pytest.warns(KdbenchWarning, match=f"damaged and is made again: .*{file}"):
        again = Cache(tmp_path).entry("things", IDENTITY, make)
    assert make.calls == 2
    assert again.digest == entry.digest
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cache(tmp_path).entry("things", IDENTITY, make) == again
    assert make.calls == 2


def test_no_flipped_bit_of_a_manifest_stops_a_run(tmp_path: Path) -> None:
    make = Count(writing("text"))
    entry = Cache(tmp_path).entry("things", {}, make)
    path = entry.folder / MANIFEST
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KdbenchWarning)
            again = Cache(tmp_path).entry("things", {}, make)
        assert again.digest == entry.digest
        path.write_bytes(whole)
    assert make.calls > 1


@pytest.mark.parametrize(
    ("damage", "message"), [(flip, "found sha256"), (truncate, "found 255 bytes, expected 256"), (Path.unlink, "missing")]
)
def test_verify_names_the_file(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    entry = Cache(tmp_path).entry("things", IDENTITY, two_files)
    entry.verify()
    path = entry.folder / "values.bin"
    damage(path)
    with pytest.raises(CacheError, match=message) as caught:
        entry.verify()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_make_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        (folder / "values.bin").write_bytes(b"half")
        raise error("no more disk")

    cache, make = Cache(tmp_path), Count(two_files)
    with pytest.raises(error, match="no more disk"):
        cache.entry("things", IDENTITY, fail)
    assert [path for path in (tmp_path / "things").iterdir() if path.suffix != ".lock"] == []
    assert list(cache.entries()) == []
    assert not cache.holds("things", IDENTITY)
    assert cache.entry("things", IDENTITY, make).bytes == 269
    assert make.calls == 1


PROCESS = """
import sys, time
from pathlib import Path
from kdbench.storage.cache import Cache

root, told, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def make(folder):
    (folder / "values").write_text("made")
    with told.open("a") as stream:
        stream.write("made\\n")
    time.sleep(seconds)

print(Cache(root).entry("things", {"id": 1}, make).digest)
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def until_made(told: Path) -> None:
    until(lambda: told.exists() and told.read_text())


def test_two_processes_make_an_entry_once(tmp_path: Path) -> None:
    root, told = tmp_path / "cache", tmp_path / "told"
    first = start(root, told, 0.6)
    until_made(told)  # the first is at it when the second comes
    second = start(root, told, 0.6)
    outputs = [process.communicate(timeout=PATIENCE)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert outputs[0] == outputs[1] != ""
    assert told.read_text() == "made\n"


def test_a_process_killed_while_making_leaves_no_entry_and_no_lock(tmp_path: Path) -> None:
    root, told = tmp_path / "cache", tmp_path / "told"
    killed = start(root, told, 10 * PATIENCE)
    until_made(told)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=PATIENCE)
    assert list(Cache(root).entries()) == []
    assert len(list(root.glob("things/.partial-*"))) == 1
    entry = Cache(root).entry("things", {"id": 1}, two_files)  # a lock that outlived its holder would be waited for for ever
    assert list(Cache(root).entries()) == [entry]
    assert list((root / "things").iterdir()) == [entry.folder]  # neither a lock nor what was half made is left


def test_entries_are_listed_and_held(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert list(cache.entries()) == []
    made = [cache.entry(kind, {"id": place}, two_files) for kind in ("others", "things") for place in range(2)]
    with cache.scratch("run"):
        assert list(cache.entries()) == sorted(made, key=lambda entry: entry.folder)
    assert cache.holds("things", {"id": 1})
    assert not cache.holds("things", {"id": 2})
    path = made[0].folder / MANIFEST
    path.write_text("{")
    broken = [found for found in cache.entries() if isinstance(found, CacheError)]
    assert len(list(cache.entries())) == 4
    assert [str(error).partition(": ")[0] for error in broken] == [str(path)]


def test_clear(tmp_path: Path) -> None:
    make = Count(two_files)
    cache = Cache(tmp_path / "cache")
    entry = cache.entry("things", IDENTITY, make)
    with cache.scratch("run") as folder:
        (folder / "checkpoint.safetensors").write_bytes(bytes(1000))
    assert cache.clear().bytes >= 1000 + entry.bytes
    assert [path.name for path in cache.root.rglob("*")] == []
    assert list(cache.entries()) == []
    assert cache.entry("things", IDENTITY, make).folder.is_dir()
    assert make.calls == 2
    assert Cache(tmp_path / "none").clear() == (0, 0)


def test_clear_of_a_folder_that_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert Cache(tmp_path).clear() == (0, 0)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("folder", ["", "things", "datasets"])
def test_clear_leaves_what_somebody_keeps_in_the_same_folder(tmp_path: Path, folder: str) -> None:
    """Say a cache put where one keeps other things, in a folder of the very name that the cache gives to a kind."""
    theirs = tmp_path / folder / "photographs.tar"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(bytes(100_000))
    cache = Cache(tmp_path)
    with contextlib.suppress(CacheError):  # to refuse the folder is as good as to keep apart
        cache.entry("things", IDENTITY, two_files)
        freed = cache.clear().bytes
        assert theirs.exists()
        assert freed < 100_000
    assert theirs.exists()


def test_clear_leaves_what_others_use_or_make(tmp_path: Path) -> None:
    """An entry that is open, one that is being made, and a checkpoint; each can be cleared once it is let go."""
    using, make = Cache(tmp_path), Count(two_files)
    entry = using.entry("things", IDENTITY, make)

    def making(folder: Path) -> None:
        (folder / "half").write_text("made")
        assert Cache(tmp_path).clear() == (0, 3)
        assert Cache(tmp_path).remove([entry]) == (0, 1)

    with using.scratch("run") as folder:
        (folder / "checkpoint.safetensors").write_text("state")
        made = using.entry("others", IDENTITY, making)
        assert Cache(tmp_path).clear() == (0, 3)
    assert Cache(tmp_path).clear() == (5, 2)
    assert [one.exists() for one in (entry.folder, made.folder, folder)] == [True, True, False]
    using.release()
    cleared = Cache(tmp_path).clear()
    assert cleared.bytes > entry.bytes
    assert cleared.left == 0
    assert list(tmp_path.rglob("*")) == []
    assert using.entry("things", IDENTITY, make).folder.is_dir()  # what it remembers is no longer there
    assert make.calls == 2


def test_clear_during_work_in_another_process(tmp_path: Path) -> None:
    """That process reads its entry again, and dies without a word: then the entry can be cleared."""
    code = (
        "import sys; from pathlib import Path; from kdbench.storage.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1])); file = cache.entry('kind', {}, lambda to: (to / 'x').write_text('y')).folder / 'x'\n"
        "print('open', flush=True); sys.stdin.readline(); print(file.read_text(), flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "open\n"
        assert Cache(tmp_path).clear() == (0, 1)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "y\n"
        process.kill()
        process.wait()
    assert Cache(tmp_path).clear().left == 0
    assert not tmp_path.exists()


def test_clear_removes_what_dead_processes_left(tmp_path: Path) -> None:
    key = "0123456789ab" * 2
    halves = [f"things/.partial-{name}/half" for name in (key, f"{key}-4711")]
    for left in (*halves, f"things/{key}.lock", "scratch/run/.tmpAbC"):
        path = tmp_path / left
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left")
    assert Cache(tmp_path).clear().left == 0
    assert not tmp_path.exists()


def test_nothing_foreign_in_a_half_made_entry_is_taken_over(tmp_path: Path) -> None:
    """Files, folders and links that somebody put there, or in the place of the folder itself."""
    expected = Cache(tmp_path / "calm").entry("things", IDENTITY, two_files, resumable=("values.bin",)).digest
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    half = tmp_path / "cache/things" / f".partial-{digest_of(IDENTITY)[:24]}"

    def stray() -> None:
        half.mkdir(parents=True)
        (half / "notes.txt").write_text("mine")
        (half / "deep/er").mkdir(parents=True)
        (half / "values.bin").symlink_to(elsewhere / "kept")

    for put in (stray, lambda: half.symlink_to(elsewhere), half.touch):
        put()
        cache = Cache(tmp_path / "cache")
        assert cache.entry("things", IDENTITY, two_files, resumable=("values.bin",)).digest == expected
        cache.clear()
        half.parent.mkdir(parents=True)
    assert (elsewhere / "kept").read_text() == "kept"


def test_an_entry_in_the_place_of_another_is_made_again(tmp_path: Path) -> None:
    one, two = (Cache(tmp_path).entry("things", {"id": place}, writing(str(place))) for place in range(2))
    copied, linked = partial(shutil.copytree, one.folder, two.folder), partial(two.folder.symlink_to, one.folder)
    for replace in (copied, linked, two.folder.touch):
        shutil.rmtree(two.folder)
        replace()
        with pytest.warns(KdbenchWarning, match="damaged and is made again"):
            again = Cache(tmp_path).entry("things", {"id": 1}, writing("1"))
        assert again.digest == two.digest
    assert (one.folder / "text").read_text() == "0"


def test_an_entry_is_opened_without_writing_into_the_cache(tmp_path: Path) -> None:
    """Another user's cache may be readable only."""
    folder = Cache(tmp_path).entry("things", IDENTITY, two_files).folder
    before = [path.stat().st_mtime_ns for path in (folder, folder.parent)]
    assert Cache(tmp_path).entry("things", IDENTITY, two_files).folder == folder
    assert [path.stat().st_mtime_ns for path in (folder, folder.parent)] == before


@pytest.mark.fault("a cache that users share")
@pytest.mark.parametrize(("mask", "files", "folders"), [(0o002, 0o664, 0o775), (0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_all_is_written_with_the_users_umask(tmp_path: Path, mask: int, files: int, folders: int) -> None:
    """Weights and checkpoints, too: those of safetensors' own files would be private."""
    before = os.umask(mask)
    try:
        cache = Cache(tmp_path / "cache")
        cache.entry("weights", {}, lambda folder: save_weights(folder / "weights.safetensors", torch.nn.Linear(2, 2)))
        with cache.scratch("run") as folder:
            save(folder / "checkpoint.safetensors", {"step": 1})
    finally:
        os.umask(before)
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in cache.root.rglob("*")}
    assert modes == {True: folders, False: files}
    assert len([path for path in cache.root.rglob("*") if path.is_file()]) == 3


def test_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    assert default_root() == Cache().root == tmp_path
    monkeypatch.delenv("KDBENCH_CACHE")
    assert default_root().name == "kdbench"


def test_a_manifest_is_plain_json(tmp_path: Path) -> None:
    entry = Cache(tmp_path).entry("things", IDENTITY, two_files)
    manifest = json.loads((entry.folder / MANIFEST).read_text())
    assert manifest["identity"] == IDENTITY
    assert set(manifest["files"]) == {"values.bin", "names.txt"}
    assert manifest["seconds"] >= 0


@pytest.mark.parametrize(
    ("error", "kept"), [(OSError, True), (MemoryError, True), (torch.OutOfMemoryError, True), (ValueError, False)]
)
def test_what_was_made_before_the_machine_gave_out_is_kept(error: type[Exception], kept: bool, tmp_path: Path) -> None:
    cache, seen = Cache(tmp_path), []

    def make(folder: Path) -> None:
        seen.append((folder / "half").exists())
        (folder / "half").write_text("made")
        if len(seen) == 1:
            raise error("no more")

    with pytest.raises(error):
        cache.entry("things", {"a": 1}, make, resumable=("half",))
    cache.entry("things", {"a": 1}, make, resumable=("half",))
    assert seen == [False, kept]


def test_a_wait_for_the_process_that_makes_an_entry_is_told(tmp_path: Path) -> None:
    """Between both calls the time of a piece of work does not count; helping counts."""
    for help_along in (None, lambda _: None):
        told: list[bool] = []
        waits, holds = threading.Event(), threading.Event()

        def listen(waiting: bool, told: list[bool] = told, waits: threading.Event = waits) -> None:
            told.append(waiting)
            waits.set()

        def make(folder: Path, holds: threading.Event = holds, waits: threading.Event = waits) -> None:
            holds.set()
            assert waits.wait(60)
            (folder / "file").write_text("made")

        identity = {"helps": help_along is not None}
        thread = threading.Thread(target=Cache(tmp_path).entry, args=("kind", identity, make))
        tell_of_waits(listen)
        try:
            thread.start()
            assert holds.wait(60)
            Cache(tmp_path).entry("kind", identity, make, help_along=help_along)
            assert told[:2] == [True, False]
            assert told == [True, False] * (len(told) // 2)
            told.clear()
            Cache(tmp_path).entry("kind", identity, make)
            assert told == []
        finally:
            tell_of_waits(lambda _: None)
            thread.join()


def test_a_filled_cache_opens_what_there_is_and_makes_nothing_of_its_kinds(tmp_path: Path) -> None:
    make = Count(lambda folder: (folder / "x").write_text("y"))
    made = Cache(tmp_path).entry("kind", {"a": 1}, make)
    filled = FilledCache(tmp_path, ["kind"])
    assert filled.entry("kind", {"a": 1}, make) == made
    with pytest.raises(CacheError, match="is not in the cache"):
        filled.entry("kind", {"a": 2}, make)
    assert make.calls == 1
    assert [entry.folder for entry in Cache(tmp_path).entries() if not isinstance(entry, CacheError)] == [made.folder]
    filled.entry("quick", {"a": 2}, make)
    assert make.calls == 2
