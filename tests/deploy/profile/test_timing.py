"""A clock that tells milliseconds, and doubts about what it tells."""

from __future__ import annotations

import os

from kdbench.deploy.profile.timing import FEWEST, clock, doubts, search_latency
from kdbench.records.profile import Timing


def test_the_clock_tells_milliseconds() -> None:
    import time

    found = clock(lambda: time.sleep(0.004), 1, 0.01)
    assert found.median_ms >= 4
    assert found.blocks >= FEWEST


def test_a_larger_gallery_takes_longer() -> None:
    small, large = (search_latency(gallery, 64, "cpu", 1, 0.01) for gallery in (5, 200_000))
    assert large.median_ms > 2 * small.median_ms > 0


def test_doubts() -> None:
    calm, wild = Timing(median_ms=2.0, iqr_ms=0.2, blocks=20), Timing(median_ms=2.0, iqr_ms=0.5, blocks=20)
    cores = os.cpu_count() or 1
    assert doubts({"calm": calm}, None, 1) == doubts({"calm": calm}, 0.0, cores) == []
    assert doubts({"calm": calm, "wild": wild}, 0.0, 1) == ["wild: IQR 25% of the median"]
    assert doubts({"calm": calm}, cores + 0.5, 1) == [f"load {cores + 0.5:.1f} on {cores} cores before the measurement"]
    assert doubts({"calm": calm}, max(cores - 1, 0.5), 1) == []
