"""Decoding into a memory map: in threads, stopped and resumed, always the same file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench import KdbenchError, Split
from kdbench.data.decode import CHUNK, DONE, decode_images, image_header, other_files

SIZE = 5
COUNT = 3 * CHUNK + 17


def image(index: int) -> NDArray[np.uint8]:
    return np.random.default_rng(index).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)


class Watched(Sequence[NDArray[np.uint8]]):
    """Images that tell who read them; `at` may do something first."""

    def __init__(self, at: Callable[[int], None] = lambda _: None, length: int = COUNT) -> None:
        self.at = at
        self.length = length
        self.read: list[int] = []
        self.threads: set[int] = set()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        self.at(index)
        self.read.append(index)
        self.threads.add(threading.get_ident())
        return image(index)


def split_of(images: Sequence[NDArray[np.uint8]]) -> Split:
    concepts = np.arange(len(images))
    return Split(images, [f"é {place}" for place in concepts], concepts, concepts)


def expected(path: Path) -> bytes:
    np.save(path, np.stack([image(index) for index in range(COUNT)]))
    return path.read_bytes()


def nothing(done: int, total: int) -> None:
    """Is told."""


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_any_number_of_threads_writes_the_same_file(tmp_path: Path, jobs: int) -> None:
    images = Watched()
    told: list[tuple[int, int]] = []
    decode_images(split_of(images), SIZE, tmp_path / "images.npy", lambda *report: told.append(report), jobs)
    assert (tmp_path / "images.npy").read_bytes() == expected(tmp_path / "expected.npy")
    assert sorted(images.read) == list(range(COUNT))
    assert told == [(0, COUNT), (CHUNK, COUNT), (2 * CHUNK, COUNT), (3 * CHUNK, COUNT), (COUNT, COUNT)]
    if jobs == 1:
        assert images.threads == {threading.get_ident()}
    else:
        assert threading.get_ident() not in images.threads


def stop_at(stop: int, error: BaseException) -> Callable[[int], None]:
    def at(index: int) -> None:
        if index == stop:
            raise error

    return at


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_it_goes_on_where_it_was_stopped(tmp_path: Path, jobs: int, error: BaseException) -> None:
    path = tmp_path / "images.npy"
    with pytest.raises(type(error)):
        decode_images(split_of(Watched(stop_at(2 * CHUNK + 5, error))), SIZE, path, nothing, jobs)
    listed = len((tmp_path / f"images.npy{DONE}").read_text().splitlines())
    assert listed == 2
    images = Watched()
    told: list[tuple[int, int]] = []
    decode_images(split_of(images), SIZE, path, lambda *report: told.append(report), jobs)
    assert path.read_bytes() == expected(tmp_path / "expected.npy")
    assert sorted(images.read) == list(range(2 * CHUNK, COUNT))
    assert told[0] == (2 * CHUNK, COUNT)
    assert told[-1] == (COUNT, COUNT)


def pixels_lost(path: Path) -> None:
    damaged = np.load(path, mmap_mode="r+")
    damaged[CHUNK + 3] = 0
    damaged.flush()


def last_line_cut(path: Path) -> None:
    listed = path.with_name(path.name + DONE)
    listed.write_text(listed.read_text()[:-20])


def list_lost(path: Path) -> None:
    path.with_name(path.name + DONE).unlink()


def file_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def other_shape(path: Path) -> None:
    np.save(path, np.zeros((COUNT, SIZE, SIZE + 1, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("damage", "again"),
    [
        (pixels_lost, range(CHUNK, 2 * CHUNK)),
        (last_line_cut, range(3 * CHUNK, COUNT)),
        (list_lost, range(COUNT)),
        (file_cut, range(COUNT)),
        (other_shape, range(COUNT)),
    ],
)
def test_what_is_not_whole_is_decoded_again(tmp_path: Path, damage: Callable[[Path], None], again: range) -> None:
    path = tmp_path / "images.npy"
    decode_images(split_of(Watched()), SIZE, path, nothing)
    damage(path)
    for expected_reads in (list(again), []):  # the second time nothing is left to do
        images = Watched()
        decode_images(split_of(images), SIZE, path, nothing)
        assert images.read == expected_reads
        assert path.read_bytes() == expected(tmp_path / "expected.npy")


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_first_bad_image_in_order_is_the_error(tmp_path: Path, jobs: int) -> None:
    def at(index: int) -> None:
        if index in (CHUNK + 9, 2 * CHUNK + 1):
            raise KdbenchError(f"image {index} is bad")

    with pytest.raises(KdbenchError, match=f"image {CHUNK + 9} is bad"):
        decode_images(split_of(Watched(at)), SIZE, tmp_path / "images.npy", nothing, jobs)


@pytest.mark.parametrize("count", [1, 29, 113_287])
def test_the_header_is_numpys(tmp_path: Path, count: int) -> None:
    path = tmp_path / "images.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (count, 2, 2, 3))
    found = image_header(count, 2)
    assert path.read_bytes()[: len(found)] == found
    assert path.stat().st_size == len(found) + count * 12


def test_other_files(tmp_path: Path) -> None:
    split = split_of(Watched(length=3))
    for name, pieces in other_files(split, "train").items():
        content = b"".join(pieces)
        (tmp_path / name).write_bytes(content)
    np.testing.assert_array_equal(np.load(tmp_path / "train.image_concepts.npy"), split.image_concepts)
    np.testing.assert_array_equal(np.load(tmp_path / "train.caption_concepts.npy"), split.caption_concepts)
    assert (tmp_path / "train.captions.json").read_text(encoding="utf-8") == '["é 0", "é 1", "é 2"]'
