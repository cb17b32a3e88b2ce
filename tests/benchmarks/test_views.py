"""How long a step waits for augmented views, and what a view costs a core. `make bench`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench.data.streaming import StreamedInputs
from kdbench.data.viewed_images import ViewedImages
from kdbench.suite.settings import Train, Views
from kdbench.suite.source import read_suite
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench_plugins.students.openclip import OpenClip
from tests.support.paths import ROOT

IMAGES, STEPS = 1024, 24
EVERYTHING: dict[str, Any] = {"crop": [0.5, 1.0], "flip": 0.5, "color": 0.4, "erase": 0.25}
RATE = 1500  # images that a student of a few million parameters takes each second on a large GPU at 224 pixels


def learner(size: int, settings: Views) -> Learner:
    """The quickstart's student at a size, on random pictures."""
    suite = read_suite(ROOT / "suites/quickstart.yaml").data
    config = suite["students"][0]["config"]
    config["vision_cfg"]["image_size"] = size
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    student = OpenClip(config=config)
    views = ViewedImages(rng.integers(0, 256, (IMAGES, size, size, 3), dtype=np.uint8), settings, "0" * 64)
    data = EncodedSplit(
        images=StreamedInputs(views, student.images),
        texts=rng.integers(1, 49406, (IMAGES, 16), dtype=np.int32),
        image_concepts=np.arange(IMAGES),
        caption_concepts=np.arange(IMAGES),
        views=settings.count,
    )
    train = Train(epochs=1000, batch_size=suite["train"]["batch_size"], precision="fp32", views=settings)
    return Learner(Retrieval(), student, data, [Stage(train)], 0, "cpu")


@pytest.mark.parametrize("size", [48, 112])
@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["crop", "everything"])
def test_share_of_a_step_that_waits_for_views(size: int, given: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    one = learner(size, Views(count=16, **given))
    waits: list[float] = []
    inputs = one.feed.inputs

    def timed(step: int) -> Sequence[Tensor]:
        started = time.perf_counter()
        found = inputs(step)
        waits.append(time.perf_counter() - started)
        return found

    one.feed.inputs = timed  # type: ignore[method-assign]
    seconds = []
    for step in range(STEPS):
        started = time.perf_counter()
        one.step(step)
        seconds.append(time.perf_counter() - started)
    shares = np.array(waits[4:]) / np.array(seconds[4:])  # the first steps allocate, and the very first has none read ahead
    low, middle, high = (f"{share:.1%}" for share in np.quantile(shares, [0.25, 0.5, 0.75]))
    print(f"\n{size} pixels: {np.median(seconds) * 1e3:.0f} ms a step, {middle} of it waiting (quartiles {low}, {high})")


@pytest.mark.parametrize("size", [48, 112, 224])
@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["crop", "everything"])
def test_views_a_second_of_a_core(size: int, given: dict[str, Any]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (256, size, size, 3), dtype=np.uint8)
    views = ViewedImages(pictures, Views(count=4, **given), "0" * 64, threads=1)
    views.rows(np.arange(32))
    rates = []
    for first in (0, 256, 512):
        started = time.perf_counter()
        views.rows(np.arange(first, first + 256))
        rates.append(256 / (time.perf_counter() - started))
    rate = float(np.median(rates))
    print(f"\n{size} pixels: {rate:,.0f} views a second; {RATE:,} a second take {RATE / rate:.1f} cores")
