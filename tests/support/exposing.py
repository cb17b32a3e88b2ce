"""A student and a teacher that expose feature maps, and an objective that reads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Shapes, Student, Tap, Taps, Towers
from tests.support.toys import Sage, Toy, TwoTowers

NAME = "maps"


class Mapped(TwoTowers):
    """Its image tower sees the picture through two convolutions, the first with batch statistics."""

    def __init__(self, width: int = 8, channels: int = 4) -> None:
        super().__init__(width)
        self.first = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.second = nn.Conv2d(channels, channels, 3, padding=1, stride=2)
        self.image_tower = nn.Linear(channels * 9, width)

    def encode_image(self, images: Tensor) -> Tensor:
        maps: Tensor = self.second(self.first(images.permute(0, 3, 1, 2).float() / 255))
        return normalize(self.image_tower(self.dropout(maps.flatten(1))), dim=1)


class MappedToy(Toy):
    def __init__(self, channels: int = 4) -> None:
        super().__init__(Mapped(channels=channels), 8)

    def taps(self) -> Taps:
        module: Any = self.module
        return {NAME: [Tap(module.first), Tap(module.second)]}


class MappedSage(Sage):
    """A teacher of random projections that exposes the maps of a random network."""

    exposes = frozenset([NAME])

    def exposed(self, towers: Towers) -> Student:  # noqa: ARG002
        with torch.random.fork_rng():
            torch.manual_seed(self.image.seed)
            return MappedToy(channels=6)


class Closer:
    """The mean squared distance of the last maps after a 1×1 convolution, and that of embeddings' first coordinates."""

    internals = (NAME,)

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def internal_head(self, student: Shapes, teacher: Shapes) -> nn.Module:
        return nn.Conv2d(student[NAME][-1][0], teacher[NAME][-1][0], 1)

    def losses(self, student: Any, teacher: Any, head: nn.Module, batch: Any) -> Tensor:  # noqa: ARG002
        maps: Tensor = (head(student.internals[NAME][-1]) - teacher.internals[NAME][-1]).square().mean(dim=(1, 2, 3))
        return maps.add((student.image[:, 0] - teacher.image[:, 0]).square())
