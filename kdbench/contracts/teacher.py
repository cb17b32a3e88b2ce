"""What a teacher is, and which data it may see."""

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
    """A teacher ready to teach: two encoders to [B, d] and the scale of its logits (already exponentiated)."""

    image: Encoder
    text: Encoder
    logit_scale: float


class Teacher(Protocol):
    """Owns its weights, tokenizer, preprocessing and width. Building is cheap; `towers` may train on the data."""

    def towers(self, data: TeacherData) -> Towers: ...


class TeacherData(Protocol):
    """What a teacher may see of a dataset: the train and validation splits. The test split cannot be reached."""

    device: str
    size: int  # pixels of the dataset's images

    def split(self, name: Literal["train", "validation"]) -> Split:
        """Captions, concepts and images of a split."""
        ...

    def encode(self, encoder: Encoder, split: Literal["train", "validation"]) -> NDArray[Any]:
        """The outputs of `encoder` on a split, computed once for everyone."""
        ...

    def fit(self, key: str, build: Callable[[], Student], recipe: dict[str, Any]) -> Student:
        """Trains what `build` returns with the one training loop, without distillation, and keeps the weights.

        `recipe` holds the settings of a suite's `train:` block and a `seed`. The best validation epoch is returned,
        in eval mode; asked for again with the same key, recipe and dataset, the kept weights are.
        """
        ...
