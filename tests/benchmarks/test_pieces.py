"""Memory, operations and time of a large batch in pieces, against the whole batch at once. `make bench`."""

from __future__ import annotations

import resource
import time
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdbench.suite.settings import Train
from kdbench.suite.source import read_suite
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench_plugins.students.openclip import OpenClip
from tests.support.paths import ROOT
from tests.support.toys import NoModules

BATCH = 2048
MIB = 1024  # in units of ru_maxrss on Linux


def measured(piece: int | None) -> tuple[float, float, float]:
    """MiB that a step adds to the peak of a process, its floating-point operations, and seconds of a second step."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    student = OpenClip(config=read_suite(ROOT / "suites/quickstart.yaml").data["students"][0]["config"])
    data = EncodedSplit(
        images=rng.integers(0, 255, (BATCH, 48, 48, 3), dtype=np.uint8),
        texts=rng.integers(1, 49406, (BATCH, 16), dtype=np.int32),
        image_concepts=np.arange(BATCH),
        caption_concepts=np.arange(BATCH),
    )
    settings = Train(epochs=10, batch_size=BATCH, micro_batch=piece, precision="fp32")
    learner = Learner(Retrieval(), student, data, [Stage(settings)], 0, "cpu")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learner.step(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    started = time.perf_counter()
    learner.step(1)
    seconds = time.perf_counter() - started
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = NoModules()  # type: ignore[assignment]
    with counter:
        learner.step(2)
    return peak / MIB, counter.get_total_flops(), seconds


@pytest.mark.parametrize("piece", [256, 64])
def test_a_batch_in_pieces(piece: int) -> None:
    found = []
    for size in (None, piece):
        with get_context("spawn").Pool(1) as pool:  # a process of its own: a peak does not fall
            found.append(pool.apply(measured, (size,)))
    whole, pieces = found
    print(
        f"\n{BATCH} samples in pieces of {piece}: {pieces[0]:,.0f} of {whole[0]:,.0f} MiB, {pieces[1] / whole[1]:.3f} × the "
        f"operations, {pieces[2] / whole[2]:.2f} × the time"
    )
