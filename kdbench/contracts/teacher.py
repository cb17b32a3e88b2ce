"""Teachers of image-text retrieval, and the data that they can see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from kdbench.contracts.dataset import Split
from kdbench.contracts.encoder import Encoder, Modality
from kdbench.contracts.objective import Objective
from kdbench.contracts.strategy import Strategy
from kdbench.contracts.student import Student
from kdbench.errors import PluginError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class LivePart(Protocol):
    """The part of a teacher that is computed in every step: what it adds to the stored embeddings of a batch of pairs.

    It reads the outputs of two encoders, which are stored like embeddings: of the images and of the captions of the batch.

    A teacher that learns beside the student has three more methods: `step(own: Pairs, student: Pairs, batch: Batch)` after the
    gradients of each step, with its own embeddings, with their graph, and the student's, detached; `state_dict()` and
    `load_state_dict(state)` of tensors, numbers, strings, lists and dicts. Its towers stay as they are.
    """

    images: Encoder
    texts: Encoder
    key: str  # identifies what it adds, like the key of an encoder

    def begin(self, device: str) -> None:
        """Called once a run, before the first step. May draw from torch's global generator, which the core seeds."""
        ...

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to the embeddings of B images and of their captions, [B, d] each, before they are normalised.

        Of zeros, the teacher is its towers alone, bit for bit. Objectives that read a bank of stored embeddings are refused.
        """
        ...


@dataclass(frozen=True)
class Towers:
    """A prepared teacher: two encoders that return [B, d], and the scale of its logits (already exponentiated).

    A teacher of one modality has `NoTower` in place of the other encoder; its scale is then without effect. A part that is
    `live` takes part in distillation only: the teacher itself is evaluated by its towers.
    """

    image: Encoder
    text: Encoder
    logit_scale: float
    live: LivePart | None = None


@dataclass
class NoTower:
    """In place of the encoder that a teacher lacks. Objectives are given embeddings of width 0 for it, [B, 0]."""

    modality: Modality
    base: Encoder | None = None
    key: str = "no tower"

    def encode(self, items: Any, device: str) -> Tensor:  # noqa: ARG002
        """Raises PluginError: nothing is encoded."""
        raise PluginError(f"the teacher has no {self.modality} tower")


@dataclass(frozen=True)
class ImageCost:
    """What a teacher's image tower costs a picture: the width of the embedding and the floating-point operations."""

    width: int
    flops: int


class Teacher(Protocol):
    """Owns its weights, tokenizer, preprocessing and width. The constructor is cheap; `towers` may train on the data.

    A teacher of one modality says so before it is prepared: its attribute `lacks` is "image" or "text", the tower that it does
    not have. `kdbench check` then refuses objectives that need both towers; those that do not have an attribute `one_tower`
    that is true. If its attribute `plain` is true, its image tower has embeddings of the dataset's images as they are, none of
    augmented views.

    With an optional method `image_cost() -> ImageCost`, which must not load weights, `kdbench plan` says what views cost.

    A teacher whose internals objectives can read, such as its hidden states, is an `ExposingTeacher` as well.
    """

    def towers(self, data: TeacherData) -> Towers: ...


@dataclass(frozen=True)
class Distillation:
    """A team that teaches a model: teachers by name, terms of the objective with their coefficients, and a strategy.

    The strategy is None for a single teacher.
    """

    teachers: Mapping[str, Teacher]
    terms: Sequence[tuple[float, Objective]]
    strategy: Strategy | None = None


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

    def fit(
        self, key: str, build: Callable[[], Student], recipe: dict[str, Any], distillation: Distillation | None = None
    ) -> Student:
        """Trains the model that `build` returns, by default without distillation, and caches its weights.

        `recipe` holds settings of a suite's `train:` block and a `seed`. Returns the model of the best validation epoch in
        eval mode; with `every`, one epoch of that many is validated, and the last. A later call with the same key, recipe and
        dataset loads the cached weights, and with the same embeddings of the teachers of a `distillation`; `key` must identify
        its objective and strategy.
        """
        ...
