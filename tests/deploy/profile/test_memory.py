"""What a process is said to have held, whatever it did before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kdbench.deploy.profile.memory import Watch
from kdbench.deploy.profile.process_memory import STATUS, resident, tidy

pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell")


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Until it is called."""
    gc.disable()
    yield
    gc.enable()


class Cycle:
    """Holds some MB and itself, as a module does whose hooks know it; in one piece, or in as many as an allocator keeps."""

    def __init__(self, megabytes: int, pieces: bool) -> None:
        self.me = self
        count, size = (megabytes * 50, 20_000) if pieces else (1, megabytes * 1_000_000)
        self.held: Any = [np.ones(size, dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("pieces", [False, True])
def test_what_came_before_does_not_count(pieces: bool) -> None:
    tidy()  # what other tests left
    before = resident()
    Cycle(300, pieces)
    held = resident()
    assert before is not None
    assert held is not None
    assert held - before > 250
    watch = Watch.begin("cpu")
    begun = resident()
    mine = np.ones(100_000_000, dtype=np.uint8)
    found = watch.peak_mb()
    assert begun is not None
    assert found is not None
    assert begun - before < 100  # it may be less than before: a second collection frees what the first made free
    assert mine.nbytes / 1e6 * 0.9 < found - begun < 150
