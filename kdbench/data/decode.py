"""Decodes the images of a split into one memory map, in several threads if asked; resumes after a stop."""

from __future__ import annotations

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Split
from kdbench.data.checked_items import checked_caption, read_picture
from kdbench.data.originals import DIGEST
from kdbench.storage.memory_map import let_go
from kdbench.storage.room import allocate, writing

CHUNK = 128  # images per chunk: decoded, listed as done and reported together
FEW = 16  # images that a thread decodes at a time when images are read in order
T = TypeVar("T")
DONE = ".done"  # suffix of the list of finished chunks: a line for each, with its first image and the hash of its pixels


def decode_images(
    split: Split, size: int, path: Path, report: Callable[[int, int], None], jobs: int = 1, digests: Path | None = None
) -> None:
    """Writes uint8 [N, size, size, 3] to `path`, read from the split by `jobs` threads.

    If the split has originals, writes the sha256 of each, uint8 [N, 32], to `digests`.

    Threads, not processes: Pillow decodes and resizes without holding the GIL, and nothing has to be pickled. With one job
    the calling thread does everything. A list beside the file names finished chunks; on resuming, chunks whose pixels match
    the list are kept. `report` receives the number of images done and the total. Raises the exception of the first image,
    in order, that cannot be decoded.
    """
    total, name = len(split.images), path.name.partition(".")[0]
    listed = path.with_name(path.name + DONE)
    shapes: dict[Path, tuple[int, ...]] = {path: (total, size, size, 3)} | ({digests: (total, DIGEST)} if digests else {})
    maps, kept = _reopened(shapes, listed)
    images, hashes = maps[0], maps[1] if digests else None
    starts = [start for start in range(0, total, CHUNK) if start not in kept]
    done = sum(min(CHUNK, total - start) for start in kept)
    report(done, total)

    def decode(start: int) -> str:
        stop = min(start + CHUNK, total)
        for index in range(start, stop):
            images[index], digest = read_picture(split, name, index, size)
            if hashes is not None:
                hashes[index] = np.frombuffer(digest, dtype=np.uint8)
        found = _hash(written[start:stop] for written in maps)
        let_go(images)
        return found

    def finished(start: int, pixels: str) -> None:
        nonlocal done
        with writing(listed):
            stream.write(f"{start} {pixels}\n")
            stream.flush()
        done += min(CHUNK, total - start)
        report(done, total)

    with listed.open("a", encoding="ascii") as stream:
        if jobs == 1:
            for start in starts:
                finished(start, decode(start))
        else:
            with ThreadPoolExecutor(jobs) as pool:
                futures = [pool.submit(decode, start) for start in starts]
                try:
                    for start, future in zip(starts, futures, strict=True):
                        finished(start, future.result())
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
    for written in maps:
        written.flush()


def hash_images(
    split: Split, size: int, report: Callable[[int, int], None], jobs: int = 1, name: str = "train"
) -> tuple[str, NDArray[np.uint8]]:
    """The sha256 of the file that `decode_images` would write, computed by `jobs` threads without writing it.

    Second, the sha256 of each original, uint8 [N, 32], without originals no rows. Starts over after a stop: a hash cannot be
    resumed.
    """
    total = len(split.images)
    whole = hashlib.sha256(image_header(total, size))
    report(0, total)
    hashes = np.zeros((len(split.originals), DIGEST), dtype=np.uint8)
    for done, (image, digest) in enumerate(in_order(lambda index: read_picture(split, name, index, size), total, jobs), 1):
        if digest:
            hashes[done - 1] = np.frombuffer(digest, dtype=np.uint8)
        whole.update(np.ascontiguousarray(image).data)
        if done % CHUNK == 0 or done == total:
            report(done, total)
    return whole.hexdigest(), hashes


def in_order(read: Callable[[int], T], total: int, jobs: int) -> Iterator[T]:
    """`read(index)` of every index in order, computed by `jobs` threads a little ahead."""

    def some(start: int) -> list[T]:
        return [read(index) for index in range(start, min(start + FEW, total))]

    waiting: deque[Future[list[T]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for start in range(0, total, FEW):
                waiting.append(pool.submit(some, start))
                if len(waiting) > 2 * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def other_files(split: Split, name: str) -> dict[str, Iterable[bytes]]:
    """The files of a split other than its images: name → contents in pieces."""
    weights = np.asarray(split.caption_weights, dtype=np.float64)
    return {
        f"{name}.image_concepts.npy": [npy(split.image_concepts)],
        f"{name}.caption_concepts.npy": [npy(split.caption_concepts)],
        f"{name}.captions.json": _json(split.captions, name),
        **({caption_weights(name): [npy(weights)]} if len(weights) else {}),
    }


def caption_weights(name: str) -> str:
    """The file with the weights of a split's captions, float64 [M], if they have some."""
    return f"{name}.caption_weights.npy"


def _json(texts: Sequence[str], name: str) -> Iterator[bytes]:
    """The output of json.dumps for the list of texts, without holding all of it. Raises PluginError for what is no text."""
    yield b"["
    for position, text in enumerate(texts):
        checked = checked_caption(text, f"{name} caption {position}")
        yield (", " if position else "").encode() + json.dumps(checked, ensure_ascii=False).encode()
    yield b"]"


def image_header(count: int, size: int) -> bytes:
    """The header of the file of a split's images."""
    stream = io.BytesIO()
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
        "fortran_order": False,
        "shape": (count, size, size, 3),
    }
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    """The file that `np.save` writes, which itself does not tell why it could not: its error has no number."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _reopened(shapes: dict[Path, tuple[int, ...]], listed: Path) -> tuple[list[Any], set[int]]:
    """The memory maps and their finished chunks; new maps unless there are all of these shapes."""
    if listed.is_file():
        maps = [_opened(path) for path in shapes]
        if all(found is not None and found.shape == shape for found, shape in zip(maps, shapes.values(), strict=True)):
            return maps, _intact(maps, listed)
    listed.unlink(missing_ok=True)
    return [_created(path, shape) for path, shape in shapes.items()], set()


def _created(path: Path, shape: tuple[int, ...]) -> Any:
    """A new memory map, with room on the disk for all of it."""
    try:
        with writing(path):
            found = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    allocate(path, path.stat().st_size)
    return found


def _opened(path: Path) -> Any:
    """A memory map of bytes, None if there is none."""
    try:
        found = np.lib.format.open_memmap(path, "r+")
    except (OSError, ValueError):  # interrupted before it had its full length
        return None
    return found if found.dtype == np.uint8 else None


def _intact(maps: list[Any], listed: Path) -> set[int]:
    """Chunks whose pixels match the list; after a power cut the list may be ahead of the pixels."""
    kept: dict[int, str] = {}
    for line in listed.read_text(encoding="ascii", errors="replace").splitlines():
        start, _, pixels = line.partition(" ")
        if (
            start.isdecimal()
            and int(start) % CHUNK == 0
            and (_hash(found[int(start) : int(start) + CHUNK] for found in maps) == pixels)
        ):
            kept[int(start)] = pixels
    # Rewritten to drop a truncated last line, so that appending starts on a new line.
    listed.write_text("".join(f"{start} {pixels}\n" for start, pixels in kept.items()), encoding="ascii")
    return set(kept)


def _hash(arrays: Iterable[Any]) -> str:
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()
