"""Trains what a fused teacher adds to its dual-stream teacher, and says what of the pair leaks into it."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality, PluginError, Student, StudentModule, TeacherData, Towers
from kdbench.errors import KdbenchWarning
from kdbench_plugins.teachers.tempered import drawn_pairs, mean_entropy
from kdbench_plugins.teachers.tower import settled

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2  # raise when the same parameters give another fusion


class Beside:
    """A teacher's embeddings beside token features of the same items, [B, d + tokens·width]: both as they are stored."""

    base: Encoder | None = None

    def __init__(self, tower: Encoder, tokens: Encoder) -> None:
        self.parts = [tower, tokens]
        self.modality: Modality = tokens.modality
        self.key = hashlib.sha256(f"beside-{FORMAT}|{tower.key}|{tokens.key}".encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:  # noqa: ARG002
        """Raises PluginError: its parts are encoded."""
        raise PluginError("found items for encoders side by side; expected their stored outputs")


@dataclass
class Joined:
    """A fused module as a student for the training loop."""

    width: int
    images: Encoder
    texts: Encoder
    module: StudentModule


@dataclass
class Fusion:
    """What fusion adds to a dual-stream teacher's embeddings. Implements `LivePart`; it does not move."""

    images: Encoder
    texts: Encoder
    key: str
    module: Any

    def begin(self, device: str) -> None:
        settled(self.module, device)

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.module.changes(images, texts)
        return found


def fused(
    name: str,
    data: TeacherData,
    towers: Towers,
    tokens: tuple[Encoder, Encoder],
    fusion: Callable[[int, int], Any],
    design: list[Any],
    recipe: dict[str, Any],
) -> Towers:
    """The dual-stream teacher `towers` with what the module of `fusion` adds to it, trained by `recipe`.

    `tokens` encode images and texts to the token features that the module reads, whose widths are given to `fusion`. `design`
    identifies the module. Warns with the entropies of both teachers.
    """
    own = data.encode(towers.image, "train"), data.encode(towers.text, "train")
    read = data.encode(tokens[0], "train"), data.encode(tokens[1], "train")
    width, shapes = own[0].shape[1], [found.shape[1:] for found in read]

    def build() -> Student:
        from kdbench_plugins.teachers.fused_module import FusedModule

        module = FusedModule(fusion(shapes[0][-1], shapes[1][-1]), width, shapes, towers.logit_scale)
        return Joined(width, Beside(towers.image, tokens[0]), Beside(towers.text, tokens[1]), module)

    from kdbench import module_digest

    key = json.dumps([name, FORMAT, design, towers.logit_scale], sort_keys=True)
    module: Any = data.fit(key, build, recipe).module
    identity = f"{key}|{tokens[0].key}|{tokens[1].key}|{module_digest(module)}"
    part = Fusion(*tokens, hashlib.sha256(identity.encode()).hexdigest(), module)
    warnings.warn(leak(name, *entropies(data, part, own, read, towers.logit_scale)), KdbenchWarning, stacklevel=2)
    return replace(towers, live=part)


def leak(name: str, plain: float, fused: float) -> str:
    """The mean in-batch entropies of a dual-stream teacher and of the fused one, in nats, in words."""
    found = f"teacher {name}: found an in-batch entropy of {fused:.3f} nats"
    if fused < plain:
        return (
            f"{found}, below the {plain:.3f} of its dual-stream teacher: it has seen both of a pair, which makes it more "
            "certain than a retrieval model can be"
        )
    return (
        f"{found}, not below the {plain:.3f} of its dual-stream teacher: it has seen both of a pair, which does not make it "
        "more certain"
    )


def entropies(
    data: TeacherData, part: Fusion, own: tuple[Any, Any], read: tuple[Any, Any], scale: float, size: int = 128
) -> tuple[float, float]:
    """Mean entropy of the softmax over similarities, plain and fused, in batches of `size` pairs of the train split.

    `own` are the dual-stream teacher's embeddings of images and texts, `read` the token features.
    """
    import numpy as np
    import torch
    from torch.nn.functional import normalize

    def rows(values: Any, places: Any) -> Tensor:
        return torch.from_numpy(np.asarray(values[places], np.float32))

    part.begin("cpu")
    plain, fused = [], []
    with torch.no_grad():
        for pairs in drawn_pairs(data, size):
            v, u = (normalize(rows(values, places), dim=1) for values, places in zip(own, pairs, strict=True))
            image, text = part.changes(*(rows(values, places) for values, places in zip(read, pairs, strict=True)))
            plain.append((v @ u.T).double())
            fused.append((normalize(v + image, dim=1) @ normalize(u + text, dim=1).T).double())
    return mean_entropy(plain, scale), mean_entropy(fused, scale)
