"""Students of image-text retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kdbench.contracts.encoder import Encoder

if TYPE_CHECKING:
    from torch import Tensor


class Student(Protocol):
    """A small two-tower model. Its initial weights are drawn from torch's global generator, which the core seeds.

    The optional method `finalize() -> StudentModule` returns the module without parts that only training needs; the
    result is kept and exported. The optional method `open_clip() -> (config, model)`, for students that are open_clip
    models, returns the contents of an `open_clip_config.json`, `{"model_cfg": {…}, "preprocess_cfg": {…}}`, and
    open_clip's own module with the current weights.

    The optional method `ready() -> bool` says whether the module, as it is after an epoch, may be kept, such as once it is as
    sparse as it is to be. The best epoch is one of those that are ready, if there are any.

    The optional method `prepare(data: TeacherData) -> None` is called once, before the training, by students whose initial
    weights depend on the training data, such as on a teacher that is trained on it. It changes values in `module`, no shapes
    and no parts: profiles and exports build the student without calling it. Draws of random numbers in it have no effect on
    the training.

    The optional method `taps() -> Taps` says where internals of the module are read, such as hidden states, for objectives
    that compare them (`kdbench.contracts.internals`).
    """

    width: int  # d
    images: Encoder  # makes what the image tower reads, such as resized uint8 pixels
    texts: Encoder  # makes what the text tower reads, such as tokens
    module: StudentModule


class StudentModule(Protocol):
    """The trainable part: a torch Module with two encoders that return unit vectors [B, d] and a logit scale.

    A module with a loss of its own beside the task's has two more methods: `encode_views(images, texts)` returns the image
    and text embeddings, followed by other tensors [B, …] of the same forward pass, all with their graph, and
    `auxiliary_loss(views, batch)` computes a scalar from detached copies of them. One backward through the towers
    then serves all losses.

    The optional attribute `logit_bias` is a parameter that SigLIP's loss adds to the logits.

    The module, or a part of it, may have a method `after_step() -> None`, called after each step of the optimizer, without
    gradients. What it changes, such as a factor that fades, must be in the module's state: a resumed run has it from there.
    """

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the logit scale, a parameter, as in CLIP."""
        ...

    def encode_image(self, images: Tensor) -> Tensor: ...
    def encode_text(self, texts: Tensor) -> Tensor: ...
