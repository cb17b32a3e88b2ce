"""A frozen function of single items, computed once and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Modality = Literal["image", "text"]


class Encoder(Protocol):
    """A frozen function of single items, whose outputs are computed once and kept on disk.

    Everything that reads a dataset is an encoder: resizing to a student's pixels, tokenising, a backbone, a teacher's tower.
    With a `base`, the items are the base's outputs, which are kept on disk as well.
    """

    modality: Modality
    base: Encoder | None

    @property
    def key(self) -> str:
        """Identifies the weights and the preprocessing: equal keys share a cache entry."""
        ...

    def encode(self, items: Any, device: str) -> Tensor:
        """Encodes B items (images as uint8 [B, size, size, 3], a list of captions, or the base's outputs) to [B, ...].

        Floating-point results are stored as float16 and returned as float32, integers unchanged. If a student's encoder gives
        uint8 for streamed images, nothing is stored: it runs for every batch and should be cheap.
        """
        ...
