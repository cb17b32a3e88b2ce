"""What a student is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kdbench.contracts.encoder import Encoder

if TYPE_CHECKING:
    from torch import Tensor


class Student(Protocol):
    """A small two-tower model. Its initial weights come from torch's global generator, which the core seeds.

    An optional method `finalize() -> StudentModule` returns the module without parts that only training needs; that is what
    is kept and exported. Another, `open_clip() -> (config, model)`, gives the
    contents of an `open_clip_config.json`, `{"model_cfg": {…}, "preprocess_cfg": {…}}`, and open_clip's own module with the
    present weights, where the student is such a model.
    """

    width: int  # d
    images: Encoder  # what the image tower reads, say resized uint8 pixels
    texts: Encoder  # what the text tower reads, say tokens
    module: StudentModule


class StudentModule(Protocol):
    """The trainable part: a torch Module with two encoders that return unit vectors [B, d], and a logit scale.

    A module with a loss of its own beside the task's has two more methods. `encode_views(images, texts)` returns the image
    and text embeddings, followed by other tensors [B, …] of the same forward pass, all with their graph;
    `auxiliary_loss(views, batch)` computes a scalar from detached copies of them, so one backward through the towers is
    enough.
    """

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the scale, a parameter, as in CLIP."""
        ...

    def encode_image(self, images: Tensor) -> Tensor: ...
    def encode_text(self, texts: Tensor) -> Tensor: ...
