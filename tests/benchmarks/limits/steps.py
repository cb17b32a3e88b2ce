"""What teachers cost a step: their losses, reading their embeddings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.loss import DistillClipLoss
from torch.nn.functional import normalize

from kdbench import Pairs
from kdbench.storage.memory_map import take
from kdbench.tasks.retrieval import Retrieval
from kdbench.training.step import Teaching, backward
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.benchmarks.limits.timing import Row, in_turn, ratio, row
from tests.support.emoji_learner import emoji_learner
from tests.support.toys import batch_of

TEACHERS, BATCH, WIDTH, STORED = 4, 256, 512, 50_000


def rows(large: bool) -> list[Row]:  # noqa: ARG001
    torch.set_num_threads(1)
    return [*_losses(), *_reading(), *_steps()]


class Held:
    """A teacher's outputs of the only batch."""

    width = WIDTH

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def outputs(self, batch: Any, device: str) -> Pairs:  # noqa: ARG002
        return Pairs(self.pairs.image, self.pairs.text, self.pairs.scale)  # nothing kept of the step before


def _losses() -> list[Row]:
    torch.manual_seed(0)

    def drawn() -> torch.Tensor:
        return normalize(torch.randn(BATCH, WIDTH), dim=1)

    image, text = drawn(), drawn()
    teachers = [Pairs(drawn(), drawn(), 20.0) for _ in range(TEACHERS)]
    team = Team(
        [TeamTeacher(str(place), Held(one)) for place, one in enumerate(teachers)], [(1.0, RelationalKL())], WIDTH, 0, "cpu"
    )
    batch, theirs = batch_of(torch.arange(BATCH)), DistillClipLoss()

    def leaves() -> list[torch.Tensor]:
        return [each.clone().requires_grad_() for each in (image, text, torch.tensor(2.6593))]

    def ours(strategy: Any) -> None:
        own = leaves()
        teaching = Teaching(team, team.outputs(batch), strategy, 1.0, torch.Generator())
        backward(Retrieval(), own[:2], lambda made: Pairs(made[0], made[1], own[2].exp()), batch, teaching)

    def separate() -> None:
        own = leaves()
        for teacher in teachers:
            parts = theirs(own[0], own[1], own[2].exp(), teacher.image, teacher.text, torch.tensor(20.0))
            (sum(parts) / TEACHERS).backward()

    spent = in_turn(60, ammkd=lambda: ours(Ammkd()), equal=lambda: ours(Equal()), separate=separate, again=separate)
    what = f"{TEACHERS} separate open_clip losses, B {BATCH}, d {WIDTH}, against"
    return [
        ratio(f"{what} losses, Gramian, weights and gradients of `ammkd`", spent["separate"], spent["ammkd"], "≥ 2.0"),
        ratio(f"{what} those of `equal`", spent["separate"], spent["equal"], ""),
        ratio("  A/A: open_clip against itself", spent["again"], spent["separate"], ""),
    ]


def _reading() -> list[Row]:
    """A step's rows of four teachers, image and text, relative to the step of the emoji suite's student without teachers."""
    rng, learner = np.random.default_rng(0), emoji_learner(0, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.npy"
        np.save(path, rng.standard_normal((STORED, WIDTH), dtype=np.float32).astype(np.float16))
        values = np.load(path, mmap_mode="r")
        steps = iter(range(1000))

        def read() -> None:
            for _ in range(10 * 2 * TEACHERS):
                take(values, rng.integers(0, STORED, BATCH))

        spent = in_turn(20, read=read, step=lambda: learner.step(next(steps)))
    shares = [100 * read / 10 / step for read, step in zip(spent["read"], spent["step"], strict=True)]
    return [row(f"reading embeddings of {TEACHERS} teachers, of a step without teachers", shares, "%", "≤ 0.2")]


def _steps() -> list[Row]:
    learners = {"none": emoji_learner(0, None), "again": emoji_learner(0, None)}
    learners |= {"equal": emoji_learner(TEACHERS, Equal()), "ammkd": emoji_learner(TEACHERS, Ammkd())}
    counts = dict.fromkeys(learners, 0)

    def step(name: str) -> None:
        learners[name].step(counts[name])
        counts[name] += 1

    spent = in_turn(12, **{name: (lambda name=name: step(name)) for name in learners})
    what = f"a step with {TEACHERS} teachers, against none"
    found = [ratio(f"{what}, `{name}`", spent[name], spent["none"], "") for name in ("equal", "ammkd")]
    return [*found, ratio("  A/A: none against itself", spent["again"], spent["none"], "")]
