"""Training as suites/emoji.yaml has it, with random pixels, tokens and teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kdbench import Objective, Strategy
from kdbench.suite.settings import Train
from kdbench.suite.source import read_suite
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.students.openclip import OpenClip
from tests.support.paths import ROOT

PAIRS, WIDTH = 512, 256  # WIDTH: of teachers


def emoji_config() -> dict[str, Any]:
    """The configuration of the suite's student."""
    found: dict[str, Any] = read_suite(ROOT / "suites/emoji.yaml").data["students"][0]["config"]
    return found


def emoji_student(config: dict[str, Any] | None = None) -> OpenClip:
    """The suite's student or another one, with the weights of seed 0."""
    torch.manual_seed(0)
    return OpenClip(config=config or emoji_config())


def random_split(pairs: int = PAIRS, size: int = 48) -> EncodedSplit:
    """Random pixels and tokens, as many concepts as pairs."""
    rng = np.random.default_rng(0)
    return EncodedSplit(
        images=rng.integers(0, 255, (pairs, size, size, 3), dtype=np.uint8),
        texts=rng.integers(1, 49406, (pairs, 16), dtype=np.int32),
        image_concepts=np.arange(pairs),
        caption_concepts=np.arange(pairs),
        image_ids=[f"image{position}" for position in range(pairs)],
    )


def emoji_learner(
    teachers: int,
    strategy: Strategy | None,
    features: bool = True,
    config: dict[str, Any] | None = None,
    pairs: int = PAIRS,
    device: str = "cpu",
    **settings: Any,
) -> Learner:
    """A training of 1000 epochs by default; `settings` replace those of the suite.

    Teachers are `teacher0`, `teacher1` …; without `features` the objective is `relational_kl` alone. `config` is another
    student's.
    """
    config = config or emoji_config()
    rng, concepts, student = np.random.default_rng(1), np.arange(pairs), emoji_student(config)
    drawn = [rng.normal(size=(2, pairs, WIDTH)).astype(np.float16) for _ in range(teachers)]
    members = [
        TeamTeacher(f"teacher{place}", StoredEmbeddings(image, text, 20.0, concepts, concepts))
        for place, (image, text) in enumerate(drawn)
    ]
    terms: list[tuple[float, Objective]] = [(1.0, RelationalKL()), (1.0, Feature())]
    team = Team(members, terms if features else terms[:1], student.width, 0, device) if teachers else None
    batch = read_suite(ROOT / "suites/emoji.yaml").data["train"]["batch_size"]
    given: dict[str, Any] = {"epochs": 1000, "batch_size": batch, "precision": "fp32"} | settings
    data = random_split(pairs, config["vision_cfg"]["image_size"])
    return Learner(Retrieval(), student, data, [Stage(Train(**given), team, strategy)], 0, device)
