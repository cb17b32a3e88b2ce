"""A whole profile in this process: recorded settings, timings in a sensible order, doubts about them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from kdbench import Encoder, KdbenchError, Modality
from kdbench.deploy.profile import Profile, Timing
from kdbench.deploy.profile.measure import measure
from kdbench.deploy.profile.subject import Items, encoded, subject_of
from kdbench.deploy.profile.timing import FEWEST, clock, doubts, search_latency
from kdbench.records.provenance import host, versions
from tests.support.toys import BEADS, Toy, TwoTowers, bits, module_of, toy

ITEMS = Items(BEADS, ("train string red green blue red green blue", "train chain blue green blue red green red"))


def test_a_profile() -> None:
    student = toy()
    before, modes = bits(module_of(student).state_dict()), [part.training for part in module_of(student).modules()]
    profile = measure(student, 50, "cpu", items=ITEMS, batches=(1, 3), threads=1, seconds=0.001)
    assert profile.parameters == sum(parameter.numel() for parameter in module_of(student).parameters())
    assert (profile.image.parameters, profile.text.parameters) == (3 * BEADS**2 * 8 + 8, 3 * BEADS * 8 + 8)
    assert (profile.image.flops, profile.text.flops) == (2 * 3 * BEADS**2 * 8, 2 * 3 * BEADS * 8)
    timings = [*profile.image.latency.values(), *profile.text.latency.values(), profile.search]
    assert all(timing.median_ms > 0 and timing.iqr_ms >= 0 and timing.blocks >= FEWEST for timing in timings)
    assert list(profile.image.latency) == list(profile.text.latency) == [1, 3]
    assert (profile.gallery, profile.device, profile.threads, profile.memory) == (50, "cpu", 1, None)
    assert (profile.host, profile.versions) == (host(), versions())
    assert profile.unstable == bool(profile.reasons)
    assert bits(module_of(student).state_dict()) == before
    assert [part.training for part in module_of(student).modules()] == modes
    assert all(parameter.grad is None for parameter in module_of(student).parameters())
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
    with pytest.raises(ValidationError):
        Profile.model_validate({**profile.model_dump(), "speed": 1})


class Slow(TwoTowers):
    """Works on each image for a while, and notes what it is asked for and how."""

    def __init__(self) -> None:
        super().__init__(8)
        self.asked: set[tuple[int, bool, bool, int]] = set()

    def encode_image(self, images: Tensor) -> Tensor:
        self.asked.add((len(images), self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        for _ in range(300 * len(images)):
            torch.ones(100).sum()
        return super().encode_image(images)


def test_more_work_takes_longer_and_is_done_as_recorded() -> None:
    module = Slow()
    threads = torch.get_num_threads()
    profile = measure(Toy(module, 8), 50, "cpu", items=ITEMS, batches=(8, 1), threads=2, seconds=0.001)
    assert profile.image.latency[8].median_ms > 2 * profile.image.latency[1].median_ms
    assert profile.image.latency[1].median_ms > profile.text.latency[1].median_ms
    assert {how for how in module.asked if how[2]} == {(1, False, True, 2), (8, False, True, 2)}
    assert not any(training for _, training, _, _ in module.asked)
    assert torch.get_num_threads() == threads


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


class Halved:
    """Reads what a base made of pictures: numbers that float16 does not have are halved on their way."""

    modality: Modality = "image"
    key = "halved"

    def __init__(self, base: Encoder | None = None) -> None:
        self.base = base

    def encode(self, items: Any, device: str) -> Tensor:
        if self.base is None:
            return torch.full((len(items), 1), 1 / 3, device=device)
        assert isinstance(items, np.ndarray)
        assert items.dtype == np.float32
        assert not items.flags.writeable
        return torch.from_numpy(items.copy()).to(device) * 2


def test_inputs_come_by_way_of_the_base() -> None:
    third = torch.tensor(1 / 3).half().float()
    found = encoded(Halved(Halved()), ITEMS.of("image", 4))
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((4, 1), float((2 * third).half().float())))


def test_items_are_pictures_of_the_datasets_size_and_its_captions() -> None:
    pixels = ITEMS.of("image", 5)
    assert (pixels.shape, pixels.dtype, pixels.flags.writeable) == ((5, BEADS, BEADS, 3), np.uint8, False)
    assert pixels.std() > 50
    assert ITEMS.of("text", 3) == [*ITEMS.captions, ITEMS.captions[0]]


class Miserly(Halved):
    """Makes one item too few."""

    def encode(self, items: Any, device: str) -> Tensor:
        return super().encode(items, device)[1:]


def test_an_encoder_that_loses_items() -> None:
    student = toy()
    student.images = Miserly()
    with pytest.raises(KdbenchError, match="image encoder 'halved' made 3 items of 4"):
        subject_of(student, ITEMS, 4)
