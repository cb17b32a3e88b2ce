"""Teachers of image-text retrieval, and the data that they can see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kdbench.contracts.dataset import Split
from kdbench.contracts.encoder import Encoder
from kdbench.contracts.student import Student

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Towers:
    """A prepared teacher: two encoders that return [B, d], and the scale of its logits (already exponentiated)."""

    image: Encoder
    text: Encoder
    logit_scale: float


class Teacher(Protocol):
    """Owns its weights, tokenizer, preprocessing and width. The constructor is cheap; `towers` may train on the data."""

    def towers(self, data: TeacherData) -> Towers: ...


class TeacherData(Protocol):
    """The training data of a teacher: train and validation splits. The test split cannot be reached."""

    device: str
    size: int  # pixels of the dataset's images

    def split(self, name: Literal["train", "validation"]) -> Split:
        """The images, captions and concepts of a split."""
        ...

    def encode(self, encoder: Encoder, split: Literal["train", "validation"]) -> NDArray[Any]:
        """The outputs of `encoder` on a split, computed once and cached."""
        ...

    def fit(self, key: str, build: Callable[[], Student], recipe: dict[str, Any]) -> Student:
        """Trains the model that `build` returns, without distillation, and caches its weights.

        `recipe` holds settings of a suite's `train:` block and a `seed`. Returns the model of the best validation epoch in
        eval mode. A later call with the same key, recipe and dataset loads the cached weights.
        """
        ...
