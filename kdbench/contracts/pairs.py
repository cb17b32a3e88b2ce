"""A batch of matching pairs, and a model's embeddings of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kdbench.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from kdbench.contracts.internals import Internals

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """The pairs of one step, on the device of the embeddings."""

    images: Tensor  # [B], indices into the train split's images
    captions: Tensor  # [B], indices into its captions
    concepts: Tensor  # [B]; pairs of one concept are positives of each other
    progress: float  # fraction of the training done, or of its stage if it has several, 0 to 1
    host: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None  # the same indices in numpy, to read stored rows by
    views: NDArray[np.int64] | None = None  # [B], the number of the augmented view of each image, if there are views
    ids: Sequence[str] = ()  # of all images of the train split, if the dataset has ids; read on access

    def __len__(self) -> int:
        return len(self.concepts)

    @property
    def image_ids(self) -> list[str]:
        """The ids of the B images as the dataset states them; none if it has no ids."""
        places = self.images if self.host is None else self.host[0]
        return [self.ids[place] for place in places.tolist()] if len(self.ids) else []

    @property
    def same(self) -> Tensor:
        """[B, B]: whether pairs i and j are of one concept. The diagonal is true."""
        return self.concepts[:, None] == self.concepts[None, :]


class Bank(Protocol):
    """A teacher's stored embeddings of the whole train split, read on request."""

    @property
    def image_concepts(self) -> Tensor:
        """[N]"""
        ...

    @property
    def caption_concepts(self) -> Tensor:
        """[M]"""
        ...

    def images(self, indices: Tensor | None = None) -> Tensor:
        """Unit vectors of the images at `indices`, by default of all, [N, d]."""
        ...

    def captions(self, indices: Tensor | None = None) -> Tensor:
        """Unit vectors of the captions at `indices`, by default of all, [M, d]."""
        ...


@dataclass(frozen=True)
class Pairs:
    """One model's embeddings of a batch of matching pairs."""

    image: Tensor  # [B, d], unit vectors
    text: Tensor  # [B, d], unit vectors
    scale: Tensor | float  # of the logits, exponentiated
    bank: Bank | None = None  # of a teacher
    bias: Tensor | None = None  # of a student's logits, which the sigmoid loss reads; softmax losses do not depend on it
    internals: Internals = field(default_factory=dict)  # by name, what objectives ask for (`Objective.internals`)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Image, then text embeddings: where gradients per teacher are taken. Raises PluginError if a teacher lacks one."""
        self._refuse_lacking("embeddings")
        return self.image, self.text

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """The scale and the bias, as far as they are learned."""
        return tuple(
            each for each in (self.scale, self.bias) if not isinstance(each, float | int | None) and each.requires_grad
        )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, computed by the first call with `key`: what an objective computes of a student for all teachers.

        A graph that teachers' losses share in this way is kept by every backward of a step, until the step ends.
        """
        kept: dict[Hashable, Any] = self.__dict__.setdefault("_once", {})
        if key not in kept:
            kept[key] = _with_graph(make)
        found: T = kept[key]
        return found

    @cached_property
    def logits(self) -> Tensor:
        """Scaled similarities, image i against text j, [B, B], computed once for all who read them: not to be changed in place.

        Raises PluginError if a teacher lacks a tower.
        """
        self._refuse_lacking("logits")
        return _with_graph(lambda: self.scale * self.image @ self.text.T)

    def _refuse_lacking(self, what: str) -> None:
        if 0 in (self.image.shape[1], self.text.shape[1]):
            lacking = "image" if self.image.shape[1] == 0 else "text"
            raise PluginError(
                f"a teacher's {what}: found no {lacking} tower; expected both towers. Use strategies and objectives that do "
                "not read teachers' embeddings, probabilities or losses, or a teacher with both towers"
            )


def _with_graph(make: Callable[[], T]) -> T:
    """What is shared has its graph, even if the first to read it does so without gradients."""
    import torch

    with torch.enable_grad():
        return make()
