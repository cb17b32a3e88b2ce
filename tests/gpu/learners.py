"""The quickstart's student in training on a device, with random pixels, tokens and teachers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kdbench import Strategy
from kdbench.suite.settings import Train
from kdbench.suite.source import read_suite
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.teachers import StoredEmbeddings
from kdbench.training.learner import Learner
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.students.openclip import OpenClip
from tests.support.paths import ROOT

PAIRS, SIDE = 1024, 48


def student(small: bool) -> OpenClip:
    """That of suites/emoji.yaml, or one with a tiny text tower."""
    config: dict[str, Any] = read_suite(ROOT / "suites/emoji.yaml").data["students"][0]["config"]
    if small:
        config = config | {"text_cfg": config["text_cfg"] | {"layers": 1, "width": 32, "heads": 1}}
    torch.manual_seed(0)
    return OpenClip(config=config)


def split(pairs: int) -> EncodedSplit:
    """Random pixels and tokens, as many concepts as pairs."""
    rng = np.random.default_rng(0)
    return EncodedSplit(
        images=rng.integers(0, 255, (pairs, SIDE, SIDE, 3), dtype=np.uint8),
        texts=rng.integers(1, 49406, (pairs, 16), dtype=np.int32),
        image_concepts=np.arange(pairs),
        caption_concepts=np.arange(pairs),
    )


def learner(teachers: int, strategy: Strategy | None, device: str, small: bool, **settings: Any) -> Learner:
    """A training of 1000 epochs; `settings` change those of suites/emoji.yaml."""
    given = read_suite(ROOT / "suites/emoji.yaml").data["train"]
    batch = 16 if small else given["batch_size"]
    pairs = 2 * batch if small else PAIRS
    model, rng, concepts = student(small), np.random.default_rng(1), np.arange(pairs)
    drawn = [rng.normal(size=(2, pairs, 256)).astype(np.float16) for _ in range(teachers)]
    members = [
        TeamTeacher(f"teacher{place}", StoredEmbeddings(image, text, 20.0, concepts, concepts))
        for place, (image, text) in enumerate(drawn)
    ]
    terms = [(1.0, RelationalKL()), (1.0, Feature())]
    team = Team(members, terms, model.width, 0, device) if teachers else None
    train = Train(**{"epochs": 1000, "batch_size": batch, "precision": "fp32"} | settings)
    return Learner(Retrieval(), model, split(pairs), train, 0, device, team, strategy)
