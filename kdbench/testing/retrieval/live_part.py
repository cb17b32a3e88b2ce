"""The properties of a teacher's live part, tested over a few steps beside a student that is drawn at random."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from kdbench.contracts import Batch, Pairs, TeacherData, Towers
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.live import LiveEmbeddings
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.tasks.retrieval.teachers import teach
from kdbench.testing.findings import Broken, furthest
from kdbench.testing.retrieval.examined_teacher import COUNT, ExaminedTeacher

STEPS = 3
NONE = "it has no live part"


@dataclass(frozen=True)
class _Prepared:
    """A teacher whose towers exist."""

    found: Towers

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return self.found


@dataclass(frozen=True)
class _Run:
    """Of each step, the embeddings, [2, B, d], and the state before it."""

    embeddings: list[Tensor]
    states: list[dict[str, Any]]


def follows_the_seed(examined: ExaminedTeacher) -> str | None:
    """Begun twice with one seed, a live part gives the same embeddings in every step, to the last bit."""
    outputs = _live(examined)
    if outputs is None:
        return NONE
    expected, again = _run(outputs, 0), _run(outputs, 0)
    for step, (found, first) in enumerate(zip(again.embeddings, expected.embeddings, strict=True)):
        if not torch.equal(found, first):
            raise Broken(f"embeddings of step {step}, of two runs with one seed: {furthest(found, first)}")
    return None


def resumes(examined: ExaminedTeacher) -> str | None:
    """A part that learns goes on from its state to the last bit, whatever seed it was begun with."""
    outputs = _live(examined)
    if outputs is None or not hasattr(outputs.part, "step"):
        return NONE if outputs is None else "it does not learn"
    whole = _run(outputs, 0)
    for step in range(1, STEPS):
        resumed = _run(outputs, 1, first=step, state=whole.states[step])
        for place, found in enumerate(resumed.embeddings, step):
            if not torch.equal(found, whole.embeddings[place]):
                difference = furthest(found, whole.embeddings[place])
                raise Broken(f"embeddings of step {place}, resumed from the state before step {step}: {difference}")
    return None


def still_at_rate_zero(examined: ExaminedTeacher) -> str | None:
    """At a `rate` of 0, a part that learns leaves the stored embeddings as they are, to the last bit, in every step."""
    outputs = _live(examined)
    if outputs is None or not hasattr(outputs.part, "rate"):
        return NONE if outputs is None else "its live part has no `rate`"
    part = copy.copy(outputs.part)
    object.__setattr__(part, "rate", 0.0)
    static = _tensor(outputs.stored.outputs(_batch(outputs.stored), "cpu"))
    for step, found in enumerate(_run(replace(outputs, part=part), 0).embeddings):
        if not torch.equal(found, static):
            raise Broken(f"embeddings of step {step} at a rate of 0: {furthest(found, static)}, that of its towers")
    return None


def _live(examined: ExaminedTeacher) -> LiveEmbeddings | None:
    if examined.towers.live is None:
        return None
    return cast(LiveEmbeddings, teach(examined.dataset("first"), _Prepared(examined.towers), Retrieval()))


def _run(outputs: LiveEmbeddings, seed: int, first: int = 0, state: dict[str, Any] | None = None) -> _Run:
    """The steps of a run from `first` on, as a training takes them; a `state` is loaded before."""
    moving: Any = outputs
    learns = hasattr(outputs.part, "step")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs.begin("cpu")
    if state is not None:
        moving.load_state_dict(copy.deepcopy(state))
    batch, run = _batch(outputs.stored), _Run([], [])
    for step in range(first, STEPS):
        run.states.append(copy.deepcopy(moving.state_dict()) if learns else {})
        run.embeddings.append(_tensor(outputs.outputs(batch, "cpu")))
        if learns:
            moving.step(_student(step, len(batch), outputs.width), batch, "cpu")
    return run


def _batch(stored: StoredEmbeddings) -> Batch:
    """The first image and the first caption of a few concepts."""
    concepts, images = np.unique(stored.image_concepts, return_index=True)
    captions = [int(np.flatnonzero(stored.caption_concepts == concept)[0]) for concept in concepts[:COUNT]]
    return Batch(torch.from_numpy(images[:COUNT]), torch.tensor(captions), torch.from_numpy(concepts[:COUNT]), 0.5)


def _student(step: int, count: int, width: int) -> Pairs:
    generator = Generator().manual_seed(step)
    image, text = (normalize(torch.randn(count, width, generator=generator), dim=1) for _ in range(2))
    return Pairs(image, text, 10.0)


def _tensor(pairs: Pairs) -> Tensor:
    return torch.stack([pairs.image, pairs.text])
