"""The teachers of a run: their stored embeddings, the heads that compare the student with them, their losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.cache import digest_of
from kdbench.contracts import Objective, Pairs


@dataclass(frozen=True)
class Voice:
    """One teacher's embeddings of the train split, float16, and the scale of its logits."""

    name: str
    image: NDArray[Any]  # [N, d_t]
    text: NDArray[Any]  # [M, d_t]
    logit_scale: float


class Team:
    """Sums the terms of an objective for each teacher. `heads` are trained beside the student."""

    def __init__(
        self,
        voices: Sequence[Voice],
        terms: Sequence[tuple[float, Objective]],
        student_width: int,
        seed: int,
        device: str,
    ) -> None:
        self.voices = list(voices)
        self.names = [voice.name for voice in voices]
        self.terms = list(terms)
        self.device = device
        self.heads = nn.ModuleList()
        for voice in voices:
            # Seeded by the teacher's name: neither its place in the team nor its company changes its heads, and the
            # student's own random numbers stay what they are without teachers.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(digest_of([seed, "heads", voice.name])[:8], 16))
                heads = [term.head(student_width, voice.image.shape[1]) for _, term in self.terms]
            self.heads.append(nn.ModuleList([nn.Identity() if head is None else head for head in heads]))
        self.heads.to(device)

    def pairs(self, images: NDArray[Any], captions: NDArray[Any]) -> list[Pairs]:
        """Every teacher's embeddings of a batch, given as indices into the train split."""
        return [
            Pairs(self._take(voice.image, images), self._take(voice.text, captions), voice.logit_scale) for voice in self.voices
        ]

    def losses(self, student: Pairs, teachers: Sequence[Pairs]) -> Tensor:
        """[T, B]."""
        return torch.stack([self._loss(student, teacher, place) for place, teacher in enumerate(teachers)])

    def _loss(self, student: Pairs, teacher: Pairs, place: int) -> Tensor:
        heads = cast(nn.ModuleList, self.heads[place])
        total = torch.zeros(len(student.image), device=self.device)
        for (coefficient, term), head in zip(self.terms, heads, strict=True):
            total = total + coefficient * term.losses(student, teacher, head)
        return total

    def _take(self, values: NDArray[Any], indices: NDArray[Any]) -> Tensor:
        rows = torch.from_numpy(values[indices]).to(self.device).float()
        # float16 on disk: what comes back is a unit vector again
        return nn.functional.normalize(rows, dim=1)
