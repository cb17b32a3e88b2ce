"""An encoding that was stopped goes on, and ends as one that was not."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from kdbench.data import encoding
from kdbench.data.encoding import CHUNK, DONE, help_with_rows, write_rows
from kdbench.errors import PluginError
from kdbench.storage.locks import tell_of_waits
from tests.support.patience import PATIENCE, until
from tests.support.toys import Beads, Projection, cached

TOTAL = 5 * CHUNK + 7


def values(dtype: type = np.float16, shape: tuple[int, ...] = (3,)) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 100, (TOTAL, *shape)).astype(dtype)


class Source:
    """Gives rows, and stops before those from `stop` on."""

    def __init__(self, rows: NDArray[Any], stop: int = TOTAL) -> None:
        self.rows, self.stop = rows, stop
        self.asked: list[int] = []

    def __call__(self, start: int, stop: int) -> NDArray[Any]:
        if start >= self.stop:
            raise InterruptedError
        self.asked.append(start)
        return self.rows[start:stop]


def nothing(done: int, total: int) -> None:
    """Is not listening."""


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.uint8])
@pytest.mark.parametrize("shape", [(), (3,), (2, 4, 3)])
def test_the_file_is_the_one_numpy_writes(tmp_path: Path, dtype: type, shape: tuple[int, ...]) -> None:
    rows = values(dtype, shape)
    write_rows(tmp_path / "found.npy", TOTAL, Source(rows), nothing)
    np.save(tmp_path / "expected.npy", rows)
    assert (tmp_path / "found.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    mapped = np.lib.format.open_memmap(tmp_path / "mapped.npy", "w+", rows.dtype, rows.shape)  # as caches were written once
    mapped[...] = rows
    mapped.flush()
    assert (tmp_path / "mapped.npy").read_bytes() == (tmp_path / "found.npy").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected.npy", "found.npy", "mapped.npy"]


@pytest.mark.parametrize("stops", [(0,), (1,), (CHUNK + 1, 3 * CHUNK)])
def test_what_is_done_is_not_done_again(tmp_path: Path, stops: tuple[int, ...]) -> None:
    path, rows = tmp_path / "values.npy", values()
    asked: list[int] = []
    told: list[tuple[int, int]] = []
    for stop in stops:
        source = Source(rows, stop)
        with pytest.raises(InterruptedError):
            write_rows(path, TOTAL, source, nothing)
        asked += source.asked
    source = Source(rows)
    write_rows(path, TOTAL, source, lambda done, total: told.append((done, total)))
    assert asked + source.asked == list(range(0, TOTAL, CHUNK))
    assert told == [(min(start + CHUNK, TOTAL), TOTAL) for start in range(0, TOTAL, CHUNK)]
    np.testing.assert_array_equal(np.load(path), rows)


@pytest.mark.parametrize("damage", ["bytes", "line", "short", "other length"])
def test_only_what_is_whole_is_kept(tmp_path: Path, damage: str) -> None:
    """After a power cut the list may be ahead of the rows, or end in the middle of a line."""
    path, rows = tmp_path / "values.npy", values()
    with pytest.raises(InterruptedError):
        write_rows(path, TOTAL, Source(rows, 3 * CHUNK), nothing)
    listed = path.with_name(path.name + DONE) / "0"
    if damage == "bytes":
        content = bytearray(path.read_bytes())
        content[128 + CHUNK * 6 + 1] ^= 1
        path.write_bytes(content)
    elif damage == "line":
        listed.write_text(listed.read_text()[:-5])
    elif damage == "short":
        path.write_bytes(path.read_bytes()[: 128 + 3 * CHUNK * 6 - 1])
    else:
        write_rows(tmp_path / "other.npy", TOTAL - 1, Source(rows[:-1]), nothing)
        path.write_bytes((tmp_path / "other.npy").read_bytes())
    source = Source(rows)
    write_rows(path, TOTAL, source, nothing)
    redone = {"bytes": [CHUNK], "line": [2 * CHUNK], "short": [2 * CHUNK], "other length": [0, CHUNK, 2 * CHUNK]}[damage]
    assert source.asked == redone + list(range(3 * CHUNK, TOTAL, CHUNK))
    np.testing.assert_array_equal(np.load(path), rows)


@pytest.mark.parametrize("total", [1, CHUNK, 5 * CHUNK + 7, 1_000_000, 1_000_000_000])
def test_blocks_are_all_rows_once(total: int) -> None:
    blocks = encoding._blocks(total, CHUNK)
    assert blocks[0].start == 0
    assert all(block.stop == following.start for block, following in pairwise(blocks))
    assert blocks[-1].stop == total
    assert len(blocks) <= encoding.BLOCKS
    assert sum(map(len, blocks)) == -(-total // CHUNK)


def test_helpers_take_what_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first is at its first chunk, another does the rest; the first checks it and computes none of it again."""
    monkeypatch.setattr(encoding, "BLOCK", 2)
    path, rows = tmp_path / "values.npy", values()
    first, helper, late = Source(rows), Source(rows), Source(rows)
    told: list[int] = []

    def compute(start: int, stop: int) -> NDArray[Any]:
        if not first.asked:
            help_with_rows(path, TOTAL, helper)
        return first(start, stop)

    write_rows(path, TOTAL, compute, lambda done, _: told.append(done))
    assert first.asked == [0, CHUNK]  # its own block
    assert helper.asked == list(range(2 * CHUNK, TOTAL, CHUNK))
    assert told == [min(start + CHUNK, TOTAL) for start in range(0, TOTAL, CHUNK)]
    np.testing.assert_array_equal(np.load(path), rows)
    content = path.read_bytes()
    help_with_rows(path, TOTAL, late)  # too late, and too late again where all of it has gone
    help_with_rows(tmp_path / "gone" / "values.npy", TOTAL, late)
    assert late.asked == []
    assert (path.read_bytes(), sorted(file.name for file in tmp_path.iterdir())) == (content, ["values.npy"])


def test_what_a_helper_got_wrong_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK", 2)
    path, rows = tmp_path / "values.npy", values()
    first = Source(rows)

    def compute(start: int, stop: int) -> NDArray[Any]:
        if not first.asked:
            help_with_rows(path, TOTAL, Source(rows))
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
        return first(start, stop)

    write_rows(path, TOTAL, compute, nothing)
    assert first.asked == [0, CHUNK, 5 * CHUNK]
    np.testing.assert_array_equal(np.load(path), rows)


def test_a_block_that_another_process_has_is_waited_for_last_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its chunks are not computed twice: only what the list lacks when its lock is free."""
    monkeypatch.setattr(encoding, "BLOCK", 2)
    rows, path, asked = values(), tmp_path / "found.npy", Source(values())
    with pytest.raises(InterruptedError):
        write_rows(path, TOTAL, Source(rows, stop=CHUNK), nothing)  # the first chunk of the first block is done
    told: list[tuple[bool, list[int]]] = []
    with ExitStack() as other:
        lists = path.with_name(path.name + DONE)
        fcntl.flock(other.enter_context((lists / "0").open("r+b")), fcntl.LOCK_EX)

        def listen(waits: bool) -> None:
            told.append((waits, list(asked.asked)))
            other.close()

        tell_of_waits(listen)
        try:
            write_rows(path, TOTAL, asked, nothing)
        finally:
            tell_of_waits(lambda _: None)
    others = [start for start in range(0, TOTAL, CHUNK) if start >= 2 * CHUNK]
    assert told == [(True, others), (False, others)]
    assert asked.asked == [*others, CHUNK]
    np.testing.assert_array_equal(np.load(path), rows)


class Shared(Projection):
    """Writes down the process that encodes, and waits for a second one: they share the work, whoever begins."""

    def __init__(self, log: Path) -> None:
        super().__init__("text", 5, 0)
        self.log = log

    def encode(self, items: Any, device: str) -> Tensor:
        with self.log.open("a") as stream:
            stream.write(f"{os.getpid()} {items[0]}\n")
        until(lambda: len({line.split()[0] for line in self.log.read_text().splitlines()}) > 1, "no other process helps")
        return super().encode(items, device)


def encode_together(folder: Path, log: Path) -> None:
    encoding.BLOCK = 1
    cached(folder, Beads(train=600)).encode(Shared(log), "train")


def test_processes_that_want_the_same_share_the_work(tmp_path: Path) -> None:
    dataset = cached(tmp_path, Beads(train=600))
    captions = dataset.split("train").captions
    log = tmp_path / "log"
    context = get_context("fork")
    processes = [context.Process(target=encode_together, args=(tmp_path, log)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    lines = [line.partition(" ") for line in log.read_text().splitlines()]
    assert sorted(line[2] for line in lines) == sorted(captions[start] for start in range(0, 1800, CHUNK))  # each chunk once
    assert len({line[0] for line in lines}) > 1
    found = dataset.encode(Shared(log), "train")
    assert len(log.read_text().splitlines()) == len(lines)
    expected = Projection("text", 5, 0).encode(captions, "cpu").numpy().astype(np.float16)
    np.testing.assert_array_equal(found, expected)
    assert not list((tmp_path / "cache").rglob(".partial*"))


class Failing(Projection):
    """Is killed at its third chunk, once."""

    def encode(self, items: Any, device: str) -> Tensor:
        if self.calls == 2:
            self.calls += 1
            raise KeyboardInterrupt
        return super().encode(items, device)


def test_a_dataset_goes_on_with_an_encoding(tmp_path: Path) -> None:
    failing, dataset = Failing("text", 5, 0), cached(tmp_path, Beads(train=200))
    with pytest.raises(KeyboardInterrupt):
        dataset.encode(failing, "train")
    found = dataset.encode(failing, "train")
    assert failing.calls == 1 + -(-600 // CHUNK)
    expected = Projection("text", 5, 0).encode(dataset.split("train").captions, "cpu").numpy().astype(np.float16)
    np.testing.assert_array_equal(found, expected)
    assert not list((tmp_path / "cache").rglob(f"*{DONE}"))


def test_rows_of_another_width_than_those_that_are_there_are_refused(tmp_path: Path) -> None:
    """Of an earlier attempt, or of a process that helps, each of which only knows its own."""

    def stopped(start: int, stop: int) -> NDArray[Any]:
        if start:
            raise KeyboardInterrupt
        return np.ones((stop - start, 4), np.float16)

    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / "rows.npy", 300, stopped, lambda *_: None)
    with pytest.raises(
        PluginError, match=r"found rows of float16 \[5\], expected float16 \[4\], as of the rows that are there"
    ):
        write_rows(tmp_path / "rows.npy", 300, lambda a, b: np.ones((b - a, 5), np.float16), lambda *_: None)
    write_rows(tmp_path / "rows.npy", 300, lambda a, b: np.ones((b - a, 4), np.float16), lambda *_: None)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.ones((300, 4)))


def test_chunks_may_be_smaller(tmp_path: Path) -> None:
    rows, told = values(), list[int]()
    for stop in (4 * 7, TOTAL):  # stopped at a chunk of seven, then resumed
        source = Source(rows, stop)
        try:
            write_rows(tmp_path / "found.npy", TOTAL, source, lambda done, _: told.append(done), 7)
        except InterruptedError:
            told.clear()
    assert source.asked == list(range(28, TOTAL, 7))
    assert told[0] == 7
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), rows)
