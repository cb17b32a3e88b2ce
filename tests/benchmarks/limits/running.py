"""What a run takes beside its steps: checkpoints, the engine. Precision of a Vision Transformer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from kdbench.storage import checkpoint
from kdbench.training.learner import Learner
from kdbench.training.pace import Pace
from kdbench_plugins.strategies.ammkd import Ammkd
from tests.benchmarks.limits.timing import Row, in_turn, ratio, row
from tests.support.emoji_learner import emoji_learner

LONG = 60.0  # seconds
SUITE = "quickstart"
LANES = (("0", "2", "4"), ("1", "3"))  # numbers of runs, as two jobs take them
VIT: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {"image_size": 112, "patch_size": 16, "width": 384, "layers": 6, "head_width": 64},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 4},
}


def rows(large: bool) -> list[Row]:
    torch.set_num_threads(1)
    return [_checkpoints(), *_rounded(), *(_jobs() if large else [])]


def _checkpoints() -> Row:
    """The share of a minute's training that goes into checkpoints, twice."""
    return row("checkpoints, of a minute's training", [_share_of_checkpoints() for _ in range(2)], "%", "≤ 1")


def _share_of_checkpoints() -> float:
    learner = emoji_learner(2, Ammkd())
    with TemporaryDirectory() as folder:
        started, step, written = time.perf_counter(), 0, 0.0
        pace = Pace(None)
        while time.perf_counter() - started < LONG:
            learner.step(step)
            step += 1
            if pace.due(step):
                began = time.perf_counter()
                with pace.writing():
                    state = {"best": learner.student_state(), "learner": learner.state_dict()}
                    checkpoint.save(Path(folder) / "checkpoint", state)
                written += time.perf_counter() - began
        return 100 * written / (time.perf_counter() - started)


def _rounded() -> list[Row]:
    """A step of a small Vision Transformer at 112 pixels in bf16 against fp32."""
    learners = {
        name: emoji_learner(0, None, config=VIT, precision=precision)
        for name, precision in {"fp32": "fp32", "again": "fp32", "bf16": "bf16"}.items()
    }
    counts = dict.fromkeys(learners, 0)

    def step(name: str, learner: Learner) -> None:
        learner.step(counts[name])
        counts[name] += 1

    spent = in_turn(3, **{name: (lambda each=(name, one): step(*each)) for name, one in learners.items()})
    return [
        ratio("a step of a ViT student in bf16 against fp32, on this CPU", spent["bf16"], spent["fp32"], ""),
        ratio("  A/A: fp32 against itself", spent["again"], spent["fp32"], ""),
    ]


def _jobs() -> list[Row]:
    """Wall time of the quickstart's five runs with two jobs, teachers in the cache, against their steps alone in two lanes."""
    with TemporaryDirectory() as folder:
        given = [sys.executable, "-m", "kdbench", "run", SUITE, "--jobs", "2", "--no-profile", "--results"]
        subprocess.run([*given, str(Path(folder) / "first"), "train.epochs=1"], check=True, stdout=subprocess.DEVNULL)
        started = time.perf_counter()
        subprocess.run([*given, str(Path(folder) / "whole")], check=True, stdout=subprocess.DEVNULL)
        spent = time.perf_counter() - started
        bare = [sys.executable, "-m", "tests.benchmarks.limits.bare", SUITE]
        lanes = [subprocess.Popen([*bare, *lane], stdout=subprocess.PIPE, text=True) for lane in LANES]
        alone = max(float(lane.communicate()[0]) for lane in lanes)
    return [ratio("five runs of the quickstart with two jobs, wall time against bare steps", [spent], [alone], "≤ 1.08")]
