"""A frozen function of single items, computed once and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Modality = Literal["image", "text"]


class Encoder(Protocol):
    """A frozen function of single items, whose outputs are computed once and kept on disk.

    Everything that reads a dataset is an encoder: resizing to a student's pixels, tokenising, a backbone, a teacher's tower.
    With a `base`, the items are the base's outputs, which are kept on disk as well. An encoder of images whose attribute
    `originals` is true (by default it is false) is given the original pictures, not resized, if the dataset has them. One whose
    attribute `ids` is true is given the ids of images or captions that the dataset states, a list of strings.

    One whose attribute `bound` is true is defined for the items of the train and validation splits alone that its teacher was
    given, as a table of captions is. In cross-validation others encode the items of all folds at once.

    An encoder of captions that reads only their beginning may have a method `cut(captions)`, which returns which of B captions
    are longer, bool [B], and what is left of them, such as token numbers [B, L]: runs then say how many captions lose words.
    One that reads original pictures may have an attribute `side`, the pixels that it resizes them to: augmented views, which
    are made of images of the dataset's size, then give a warning if they are smaller.

    One that a student reads may have an attribute `parts`, a sequence of encoders: the student is given their stored outputs,
    each flattened, side by side, [B, Σ widths], and `encode` is not called. So encoders can share what others have encoded.
    """

    modality: Modality
    base: Encoder | None

    @property
    def key(self) -> str:
        """Identifies everything that the outputs depend on: equal keys share a cache entry.

        That is the weights, the architecture with all its settings (an activation or a number of heads changes no tensor),
        the preprocessing or the tokenizer, every parameter, the versions of libraries whose code it runs, and a number of its
        own that is raised with its code. `kdbench.module_digest` gives weights and architecture of a torch module.
        """
        ...

    def encode(self, items: Any, device: str) -> Tensor:
        """Encodes B items (images as uint8 [B, size, size, 3], a list of captions, or the base's outputs) to [B, ...].

        Original pictures are a list of uint8 [H, W, 3] of any sizes.

        Floating-point results are stored as float16 and returned as float32, integers unchanged. If a student's encoder gives
        uint8 for streamed images, nothing is stored: it runs for every batch and should be cheap.
        """
        ...


def root_of(encoder: Encoder) -> Encoder:
    """The encoder that reads the dataset: itself, or the last of its bases."""
    base = getattr(encoder, "base", None)
    return encoder if base is None else root_of(base)


def reads_originals(encoder: Encoder) -> bool:
    """Whether the encoder, or the base that it reads, is given original pictures if the dataset has them."""
    root = root_of(encoder)
    return root.modality == "image" and getattr(root, "originals", False)


def reads_ids(encoder: Encoder) -> bool:
    """Whether the encoder, or the base that it reads, is given ids in place of images or captions."""
    return bool(getattr(root_of(encoder), "ids", False))


def is_bound(encoder: Encoder) -> bool:
    """Whether the encoder, or one of its bases, is defined for the items of the train and validation splits alone."""
    base = getattr(encoder, "base", None)
    return bool(getattr(encoder, "bound", False)) or (base is not None and is_bound(base))


def keys_of(encoder: Encoder) -> list[str]:
    """The encoder's key, then those of its bases."""
    return [encoder.key, *(keys_of(encoder.base) if encoder.base is not None else [])]
