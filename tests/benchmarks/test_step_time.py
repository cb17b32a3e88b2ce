"""What teachers cost a step: times with T teachers relative to none, interleaved, with an interval. `make bench`."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from kdbench.contracts import Strategy
from kdbench.embed import EncodedSplit
from kdbench.suite import Train
from kdbench.team import Team, Voice
from kdbench.train import _Loop
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.box_qp import solve
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.students.openclip import OpenClip

CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": 48},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2},
}
ROUNDS = 12


def loop(teachers: int, strategy: Strategy | None) -> _Loop:
    rng = np.random.default_rng(0)
    pairs = 512
    torch.manual_seed(0)
    student = OpenClip(config=CONFIG)
    data = EncodedSplit(
        images=rng.integers(0, 255, (pairs, 48, 48, 3), dtype=np.uint8),
        texts=rng.integers(1, 49406, (pairs, 16), dtype=np.int32),
        image_concepts=np.arange(pairs),
        caption_concepts=np.arange(pairs),
    )
    random = [rng.normal(size=(2, pairs, 256)).astype(np.float16) for _ in range(teachers)]
    voices = [Voice(f"t{i}", image, text, 20.0) for i, (image, text) in enumerate(random)]
    team = Team(voices, [(1.0, RelationalKL()), (1.0, Feature())], student.width, 0, "cpu") if teachers else None
    return _Loop(student, data, Train(epochs=1000, batch_size=256), 0, "cpu", team, strategy)


@pytest.mark.parametrize("teachers", [2, 4])
def test_step_time_relative_to_no_teacher(teachers: int) -> None:
    torch.set_num_threads(1)
    loops = {"none": loop(0, None), "equal": loop(teachers, Equal()), "ammkd": loop(teachers, Ammkd())}
    times: dict[str, list[float]] = {name: [] for name in loops}
    for step in range(ROUNDS + 2):
        for name, one in loops.items():
            started = time.perf_counter()
            one.step(step)
            if step >= 2:  # the first steps allocate
                times[name].append(time.perf_counter() - started)
    base = np.array(times["none"])
    print(f"\n{teachers} teachers, {np.median(base) * 1e3:.0f} ms a step without")
    for name in ("equal", "ammkd"):
        ratios = np.array(times[name]) / base
        low, high = np.quantile(ratios, [0.25, 0.75])
        print(f"  {name}: {np.median(ratios):.3f} × none (quartiles {low:.3f} to {high:.3f})")


@pytest.mark.parametrize("teachers", [2, 4, 8, 16])
def test_solve_time(teachers: int) -> None:
    rng = np.random.default_rng(0)
    times = []
    for _ in range(300):
        gradients = rng.normal(size=(teachers, 64)) + 0.5
        gramian = gradients @ gradients.T
        started = time.perf_counter()
        solve(gramian, 0.6)
        times.append(time.perf_counter() - started)
    print(f"\nbox QP, T = {teachers}: median {np.median(times) * 1e6:.0f} µs")
