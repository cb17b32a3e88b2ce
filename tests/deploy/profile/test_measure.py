"""A whole profile in this process: recorded settings, timings in a sensible order, doubts about them."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from kdbench.deploy.profile.measure import measure
from kdbench.deploy.profile.timing import FEWEST
from kdbench.records.profile import Profile
from kdbench.records.provenance import host, versions
from kdbench.tasks.retrieval import Retrieval
from tests.support.regression_task import Perceptron, Regression
from tests.support.toys import BEADS, Toy, TwoTowers, bits, module_of, toy

CAPTIONS = ["train string red green blue red green blue", "train chain blue green blue red green red"]
SAMPLES = {"size": BEADS, "captions": CAPTIONS}


def test_a_profile() -> None:
    student = toy()
    before, modes = bits(module_of(student).state_dict()), [part.training for part in module_of(student).modules()]
    profile = measure(student, Retrieval(), "cpu", gallery=50, samples=SAMPLES, batch_sizes=(1, 3), threads=1, seconds=0.001)
    assert profile.parameters == sum(parameter.numel() for parameter in module_of(student).parameters())
    assert (profile.parts["image"].parameters, profile.parts["text"].parameters) == (3 * BEADS**2 * 8 + 8, 3 * BEADS * 8 + 8)
    assert (profile.parts["image"].flops, profile.parts["text"].flops) == (2 * 3 * BEADS**2 * 8, 2 * 3 * BEADS * 8)
    assert profile.search is not None
    timings = [*profile.parts["image"].latency.values(), *profile.parts["text"].latency.values(), profile.search]
    assert all(timing.median_ms > 0 and timing.iqr_ms >= 0 and timing.blocks >= FEWEST for timing in timings)
    assert list(profile.parts["image"].latency) == list(profile.parts["text"].latency) == [1, 3]
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
    profile = measure(
        Toy(module, 8), Retrieval(), "cpu", gallery=50, samples=SAMPLES, batch_sizes=(8, 1), threads=2, seconds=0.001
    )
    assert profile.parts["image"].latency[8].median_ms > 2 * profile.parts["image"].latency[1].median_ms
    assert profile.parts["image"].latency[1].median_ms > profile.parts["text"].latency[1].median_ms
    assert {how for how in module.asked if how[2]} == {(1, False, True, 2), (8, False, True, 2)}
    assert not any(training for _, training, _, _ in module.asked)
    assert torch.get_num_threads() == threads


def test_a_task_that_neither_searches_nor_names_parts() -> None:
    profile = measure(Perceptron(hidden=4), Regression(), "cpu", seconds=0.001)
    assert (profile.parts, profile.gallery, profile.search) == ({}, None, None)
    assert profile.parameters == 6 * 4 + 4 + 4 * 3 + 3
    assert not profile.unstable or profile.reasons[0].startswith("load")
