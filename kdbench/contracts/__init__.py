"""What a plugin implements, and what it is handed. Plugins import these names from `kdbench`.

Shapes: N images, M captions, B pairs in a batch, T teachers, d the width of an embedding. Embeddings are unit vectors.
Nothing here imports torch, so that offering a plugin stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Generator, Tensor
    from torch.nn import Module

T_co = TypeVar("T_co", covariant=True)
SplitName = Literal["train", "validation", "test"]
Modality = Literal["image", "text"]
Status = Literal["", "published", "reconstruction", "library"]


@dataclass(frozen=True)
class Offer(Generic[T_co]):
    """One plugin as a hook returns it.

    `name` is what a suite writes after `use:`. `build` takes keyword arguments only; its typed signature is the schema
    of the plugin's parameters, checked before anything is built. `summary` is one line for `kdbench plugins`. `check`,
    where there is one, takes the same arguments and raises KdbenchError for what types cannot tell, such as a model name
    that does not exist; it may import what it likes, but downloads and makes nothing.

    The rest is for readers and for `kdbench conform`. `status` of a method: `published`, a `reconstruction` of a source
    that leaves something open (leaderboards then say so), or another `library`'s code. `example` are parameters to show
    and to test with, needed where some have no default. `waives` names properties of the conformance kit that do not
    apply, each with the reason.

    `smoke(params) -> params` serves `kdbench run --smoke`: given checked parameters, it returns others under which the
    plugin takes the same paths, with nothing to download and next to nothing to compute. Without it they stay as they are.
    """

    name: str
    build: Callable[..., T_co]
    summary: str = ""
    check: Callable[..., None] | None = None
    formula: str = ""
    source: str = ""
    status: Status = ""
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)
    waives: Mapping[str, str] = field(default_factory=dict, hash=False)
    smoke: Callable[[dict[str, Any]], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Uses:
    """Marks a parameter as another plugin's spec: `student: Annotated[dict[str, Any], Uses("student")]`."""

    kind: Literal["dataset", "teacher", "student", "objective", "strategy"]


@dataclass(frozen=True)
class Split:
    """One split of a dataset. An image and a caption match when they show the same concept.

    Karpathy's protocol is the special case of one concept an image. Concepts are not shared between splits.
    """

    images: Sequence[NDArray[np.uint8]]  # N of [size, size, 3] RGB, decoded when indexed
    captions: Sequence[str]  # M
    image_concepts: NDArray[np.int64]  # [N]
    caption_concepts: NDArray[np.int64]  # [M]
    sources: Sequence[str] = ()  # N where given: the file of each image, or a shard and its member, as people find it


class Dataset(Protocol):
    """Images, captions and which belong together. Building it and `split` read indices only; pixels come on access.

    Those with a true attribute `streamed` have PlacedImages in their splits and a method `read_image(file, offset, bytes)`: of
    their train split no decoded copy is made.
    """

    size: int  # pixels; images are square
    licence: str
    fingerprint: str  # changes whenever the source files or the parameters change

    def split(self, name: SplitName) -> Split: ...


class Encoder(Protocol):
    """A frozen function of single items, whose outputs are computed once and kept on disk.

    Everything that reads a dataset is one: resizing to a student's pixels, tokenising, a backbone, a teacher's tower.
    With a `base`, the items are that encoder's outputs, and those are kept as well.
    """

    modality: Modality
    base: Encoder | None

    @property
    def key(self) -> str:
        """Identifies the weights and the preprocessing: equal keys share a cache entry."""
        ...

    def encode(self, items: Any, device: str) -> Tensor:
        """B items (uint8 [B, size, size, 3], a list of captions, or the base's outputs) to [B, ...].

        Floating-point results are stored as float16 and handed on as float32, integers as they are. What a student makes of
        streamed images is not stored if it is uint8, but made for every batch, so that it should be cheap.
        """
        ...


@dataclass(frozen=True)
class Towers:
    """A teacher ready to teach: two encoders to [B, d] and the scale of its logits (already exponentiated)."""

    image: Encoder
    text: Encoder
    logit_scale: float


class Teacher(Protocol):
    """Owns its weights, tokenizer, preprocessing and width. Building is cheap; `towers` may train on the lesson."""

    def towers(self, lesson: Lesson) -> Towers: ...


class Lesson(Protocol):
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


class Student(Protocol):
    """A small two-tower model. Its initial weights come from torch's global generator, which the core seeds.

    An optional method `finalize() -> StudentModule` returns what is left when the training is over, without parts that
    served the training alone; that is what is kept and exported. Another, `open_clip() -> (config, model)`, gives the
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
    and text embeddings, followed by whatever else it wants of the same forward pass, all with their graph, and
    `auxiliary_loss(views, batch)` makes a scalar of detached copies of them: one backward through the towers still serves
    everything.
    """

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the scale, a parameter, as in CLIP."""
        ...

    def encode_image(self, images: Tensor) -> Tensor: ...
    def encode_text(self, texts: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Batch:
    """Which pairs a step sees, and when. On the device of the embeddings."""

    images: Tensor  # [B], indices into the train split's images
    captions: Tensor  # [B], indices into its captions
    concepts: Tensor  # [B]; pairs of one concept are positives of each other
    progress: float  # share of the training done, 0 to 1

    @property
    def same(self) -> Tensor:
        """[B, B]: whether pairs i and j show one concept. The diagonal is true."""
        return self.concepts[:, None] == self.concepts[None, :]


class Bank(Protocol):
    """A teacher's stored embeddings of the whole train split, read when asked for."""

    @property
    def image_concepts(self) -> Tensor:
        """[N]"""
        ...

    @property
    def caption_concepts(self) -> Tensor:
        """[M]"""
        ...

    def images(self, indices: Tensor | None = None) -> Tensor:
        """Unit vectors of the images at `indices`, of all of them by default, [N, d]."""
        ...

    def captions(self, indices: Tensor | None = None) -> Tensor:
        """Unit vectors of the captions at `indices`, of all of them by default, [M, d]."""
        ...


@dataclass(frozen=True)
class Pairs:
    """One model's embeddings of a batch of matching pairs."""

    image: Tensor  # [B, d], unit vectors
    text: Tensor  # [B, d], unit vectors
    scale: Tensor | float  # of the logits, exponentiated
    bank: Bank | None = None  # of a teacher


class Objective(Protocol):
    """The distillation loss of one teacher. Several in a suite are summed with their coefficients."""

    def head(self, student_width: int, teacher_width: int) -> Module | None:
        """What is trained beside the student to compare the two, or None; never counted as student parameters."""
        ...

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        """Loss per sample, [B], differentiable in the student and the head."""
        ...


class Signal(Protocol):
    """What a strategy may look at in a step. Lazy: what is not read is not computed. All of it is detached."""

    @property
    def losses(self) -> Tensor:
        """[T, B]: the distillation loss of each teacher on each sample."""
        ...

    @property
    def truth_losses(self) -> Tensor:
        """[T, B]: cross-entropy of each teacher's in-batch distributions against the true pairs, both ways averaged."""
        ...

    @property
    def task_losses(self) -> Tensor:
        """[B]: the student's own loss on each sample, its cross-entropy against the true pairs."""
        ...

    @property
    def teacher_probs(self) -> Tensor:
        """[T, B, B]: each teacher's in-batch distribution of texts for each image."""
        ...

    @property
    def student_probs(self) -> Tensor:
        """[B, B]: the student's."""
        ...

    @property
    def embeddings(self) -> Tensor:
        """[2, B, d]: the student's image and text embeddings."""
        ...

    @property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        """T of [2, B, d_t]: each teacher's image and text embeddings."""
        ...

    @property
    def gradients(self) -> Tensor:
        """[T, 2·B·d]: of each teacher's mean loss at the student's embeddings, both towers flattened together."""
        ...

    @property
    def gramian(self) -> Tensor:
        """[T, T]: inner products of those gradients, in float64."""
        ...

    @property
    def parameter_gramian(self) -> Tensor:
        """[T, T]: the same at the student's parameters. Costs a backward through the student for each teacher."""
        ...

    teachers: tuple[str, ...]  # names, in the order of T
    batch: Batch
    generator: Generator  # for strategies that draw; seeded from the run's seed and the step


class Strategy(Protocol):
    """Decides how the teachers' voices are weighted. One instance serves one run.

    Optional methods, called where they exist: `observe(loss: float)` after each step with the task loss,
    `end_epoch(validation: dict[str, float] | None)` after each epoch with the validation metrics if they were measured,
    `state_dict()` with `load_state_dict(state)` (tensors, numbers, strings, lists, dicts) if it remembers anything, and
    `report() -> dict[str, float]` with figures of its own worth a curve beside the weights. A strategy whose attribute
    `raw` is true may give finite weights of any sign and sum, which then act as a hidden learning rate.
    """

    def weigh(self, signal: Signal) -> Tensor:
        """Weights [T] or [T, B], not negative, summing to one over the teachers."""
        ...


class Tracker(Protocol):
    """Told what happens: implements any of the hooks `kdbench_run_started`, `kdbench_progress`, `kdbench_epoch_finished`
    and `kdbench_run_finished` with `@hookimpl`. One instance serves one `kdbench run` that asks for it."""


@dataclass
class Progress:
    """Where a run is, as the progress hook is told it about twice a second."""

    run_id: str
    stage: str  # what is being done, say "train" or "encode lite0"
    done: int
    total: int
    loss: float | None = None
    weights: dict[str, float] = field(default_factory=dict)  # by teacher name
