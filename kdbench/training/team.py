"""The teachers of a run: their stored embeddings, the heads that compare the student with them, their losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.contracts import Batch, Objective, Pairs
from kdbench.storage.cache import digest_of
from kdbench.storage.memory_map import take


@dataclass(frozen=True)
class Voice:
    """One teacher's embeddings of the train split, float16, and the scale of its logits."""

    name: str
    image: NDArray[Any]  # [N, d_t]
    text: NDArray[Any]  # [M, d_t]
    logit_scale: float
    image_concepts: NDArray[np.int64]  # [N]
    caption_concepts: NDArray[np.int64]  # [M]


class StoredBank:
    """Implements `Bank` over what a voice has on disk. What covers the whole split comes to the device only for those who
    ask for it."""

    def __init__(self, voice: Voice, device: str) -> None:
        self._voice = voice
        self._device = device
        self._whole: dict[str, Tensor] = {}

    @cached_property
    def image_concepts(self) -> Tensor:
        return torch.from_numpy(np.array(self._voice.image_concepts)).to(self._device)

    @cached_property
    def caption_concepts(self) -> Tensor:
        return torch.from_numpy(np.array(self._voice.caption_concepts)).to(self._device)

    def images(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("image", self._voice.image, indices)

    def captions(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("text", self._voice.text, indices)

    def _rows(self, name: str, values: NDArray[Any], indices: Tensor | None) -> Tensor:
        if indices is not None:
            return unit_rows(take(values, indices.cpu().numpy()), self._device)
        if name not in self._whole:
            self._whole[name] = unit_rows(np.array(values), self._device)
        return self._whole[name]


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
        self.banks = [StoredBank(voice, device) for voice in voices]
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
            Pairs(
                unit_rows(take(voice.image, images), self.device),
                unit_rows(take(voice.text, captions), self.device),
                voice.logit_scale,
                bank,
            )
            for voice, bank in zip(self.voices, self.banks, strict=True)
        ]

    def losses(self, student: Pairs, teachers: Sequence[Pairs], batch: Batch) -> list[Tensor]:
        """T of [B]. Kept apart: a backward of one of them does not walk through the others."""
        return [self._loss(student, teacher, place, batch) for place, teacher in enumerate(teachers)]

    def _loss(self, student: Pairs, teacher: Pairs, place: int, batch: Batch) -> Tensor:
        heads = cast(nn.ModuleList, self.heads[place])
        total = torch.zeros(len(student.image), device=self.device)
        for (coefficient, term), head in zip(self.terms, heads, strict=True):
            total = total + coefficient * term.losses(student, teacher, head, batch)
        return total


def unit_rows(values: NDArray[Any], device: str) -> Tensor:
    """Stored embeddings as float32 on `device`; float16 on disk, so what comes back is made a unit vector again."""
    return nn.functional.normalize(torch.from_numpy(values).to(device).float(), dim=1)
