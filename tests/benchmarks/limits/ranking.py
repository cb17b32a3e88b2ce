"""Ranks both ways against one float32 matrix product of the same sizes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.deploy.profile.process_memory import forget_peak, peak, resident, tidy
from kdbench.tasks.retrieval.both_ways import ranks_both_ways
from kdbench.tasks.retrieval.one_way import ranks
from tests.benchmarks.limits.timing import Row, in_turn, ratio, row

WIDTH, CAPTIONS, ROWS = 512, 5, 1024


def collection(images: int, share: int = 1) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Images with five captions each that are near them; `share` images are of one concept."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((images, WIDTH), dtype=np.float32)
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    text = rng.standard_normal((images * CAPTIONS, WIDTH), dtype=np.float32) / np.float32(WIDTH**0.5)
    for start in range(0, len(text), 10_000):
        text[start : start + 10_000] += np.float32(0.15) * image[np.arange(start, min(start + 10_000, len(text))) // CAPTIONS]
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    return image, text, np.arange(images) // share, np.repeat(np.arange(images) // share, CAPTIONS)


def product(image: NDArray[Any], text: NDArray[Any]) -> None:
    """All scores in float32, a block of rows at a time."""
    for start in range(0, len(image), ROWS):
        _ = image[start : start + ROWS] @ text.T


def rows(large: bool) -> list[Row]:
    sizes = [(5_000, 1, 8), (5_000, 4, 4), *([(31_000, 1, 1)] if large else [])]
    found = [row for size in sizes for row in _times(*size)]
    return [*found, _oracle(), *(_memory(images) for images in (5_000, *([31_000] if large else [])))]


def _times(images: int, share: int, rounds: int) -> list[Row]:
    given = collection(images, share)

    def once() -> None:
        product(*given[:2])

    spent = in_turn(rounds, ours=lambda: ranks_both_ways(*given), product=once, again=once)
    name = f"ranks of {images:,} × {images * CAPTIONS:,}, d {WIDTH}" + (f", {share} images a concept" if share > 1 else "")
    reach = "≤ 1.75" if images == 5_000 else "≤ 1.8"
    return [
        ratio(f"{name}, against one float32 product", spent["ours"], spent["product"], reach),
        ratio("  A/A: the product against itself", spent["again"], spent["product"], ""),
    ]


def _oracle() -> Row:
    image, text, concepts, captioned = collection(5_000)

    def slow() -> None:
        ranks(image, text, concepts, captioned)
        ranks(text, image, captioned, concepts)

    spent = in_turn(2, slow=slow, product=lambda: product(image, text))
    return ratio("  the float64 oracle of 5,000 × 25,000", spent["slow"], spent["product"], "")


def _memory(images: int) -> Row:
    """MB that ranking adds to the embeddings, in a process of its own."""
    code = f"from tests.benchmarks.limits.ranking import extra; print(extra({images}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return row(f"  memory added at {images:,}", [float(done.stdout)], "MB", "≤ 260" if images == 5_000 else "≤ 512")


def extra(images: int) -> float:
    """MB by which this process grows while ranks are computed."""
    given = collection(images)
    product(given[0][:ROWS], given[1][:ROWS])  # the library's own buffers
    tidy()
    forget_peak()
    before, _ = resident() or 0.0, ranks_both_ways(*given)
    return (peak() or 0.0) - before
