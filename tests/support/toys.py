"""A small dataset, students and teachers: real, but quick, for tests where real weights are not the point.

A concept is a string of six beads in three colours. Images show them, captions name them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from kdbench import (
    Batch,
    Dataset,
    Encoder,
    Modality,
    Offer,
    Pairs,
    Split,
    SplitName,
    Strategy,
    Student,
    StudentModule,
    Teacher,
    TeacherData,
    Towers,
    hookimpl,
)
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_arrays
from kdbench.runs.context import RunContext
from kdbench.storage.cache import Cache
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import PluginSpec, RunSpec, TermSpec
from kdbench.tasks import retrieval
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit, encode_split
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.training.evaluation import evaluated
from kdbench.training.signal import Graph, StepSignal
from kdbench.training.team import TeamTeacher
from kdbench_plugins.objectives import feature, relational_kl
from kdbench_plugins.strategies import ammkd, equal, fixed, random

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
COLOURS = ("red", "green", "blue")
BEADS = 6
CONCEPTS = list(product(range(3), repeat=BEADS))
SEEN: list[str] = []  # what encoders with `watch` read, in order: "image test", "text train"


class Beads:
    """Two images and three captions a concept. The first pixel and the first word of each tell the split."""

    size = BEADS
    licence = "CC0"

    def __init__(self, *, train: int = 16, validation: int = 12, test: int = 10, seed: int = 0) -> None:
        self.counts: dict[SplitName, int] = {"train": train, "validation": validation, "test": test}
        self.seed = seed
        self.fingerprint = f"beads {self.counts} {seed}"

    def split(self, name: SplitName) -> Split:
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(CONCEPTS))
        first = sum(self.counts[other] for other in SPLITS[: SPLITS.index(name)])
        chosen = order[first : first + self.counts[name]]
        noise = np.random.default_rng((self.seed, SPLITS.index(name)))
        images = []
        for concept in np.repeat(chosen, 2):
            image = noise.integers(0, 100, (BEADS, BEADS, 3), dtype=np.uint8)
            for place, colour in enumerate(CONCEPTS[concept]):
                image[1:, place, colour] += 120
            image[0, 0] = SPLITS.index(name)
            images.append(image)
        names = [" ".join(COLOURS[colour] for colour in CONCEPTS[concept]) for concept in chosen]
        captions = [f"{name} {style} {beads}" for beads in names for style in ("string", "beads", "chain")]
        return Split(images, captions, np.repeat(chosen, 2).astype(np.int64), np.repeat(chosen, 3).astype(np.int64))


class Pixels:
    """The images as they are, uint8."""

    modality: Modality = "image"
    base: Encoder | None = None

    def __init__(self, watch: bool = False) -> None:
        self.key = "pixels"
        self.watch = watch

    def encode(self, items: Any, device: str) -> Tensor:
        if self.watch:
            SEEN.append(f"image {SPLITS[items[0, 0, 0, 0]]}")
        return torch.from_numpy(np.array(items)).to(device)


class Tokens:
    """The colours of the beads, [B, 6] of 0 to 2."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, watch: bool = False) -> None:
        self.key = "tokens"
        self.watch = watch

    def encode(self, items: Any, device: str) -> Tensor:
        if self.watch:
            SEEN.append(f"text {items[0].split()[0]}")
        return torch.tensor([[COLOURS.index(word) for word in item.split()[2:]] for item in items], device=device)


def pixels_to_floats(images: Tensor) -> Tensor:
    return (images.float() / 255 - 0.5).flatten(1)


def tokens_to_floats(tokens: Tensor) -> Tensor:
    return one_hot(tokens.long(), 3).float().flatten(1)


class TwoTowers(nn.Module):
    """A linear tower for each modality."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.image_tower = nn.Linear(3 * BEADS**2, width)
        self.text_tower = nn.Linear(3 * BEADS, width)
        self.dropout = nn.Dropout(dropout)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor) -> Tensor:
        floats = pixels_to_floats(images).to(self.image_tower.weight.dtype)
        return normalize(self.image_tower(self.dropout(floats)), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        floats = tokens_to_floats(texts).to(self.text_tower.weight.dtype)
        return normalize(self.text_tower(self.dropout(floats)), dim=1)


class Toy:
    """A student of two linear towers."""

    def __init__(self, module: nn.Module, width: int, watch: bool = False) -> None:
        self.width = width
        self.images: Encoder = Pixels(watch)
        self.texts: Encoder = Tokens(watch)
        self.module = cast(StudentModule, module)


def toy(*, width: int = 8, dropout: float = 0.0, poisoned: bool = False, watch: bool = False) -> Toy:
    module = TwoTowers(width, dropout)
    if poisoned:
        with torch.no_grad():
            module.image_tower.weight[0, 0] = math.nan
    return Toy(module, width, watch)


class SharedTowers(nn.Module):
    """Both modalities through one layer, after each its own projection: one parameter under two names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.below = TwoTowers(width)
        self.tower = nn.Linear(width, width)
        self.other_tower = nn.Linear(width, width)
        self.other_tower.weight = self.tower.weight
        self.logit_scale = self.below.logit_scale

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.tower(self.below.encode_image(images)), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(self.other_tower(self.below.encode_text(texts)), dim=1)


def shared_toy() -> Toy:
    return Toy(SharedTowers(8), 8)


def module_of(student: Student) -> nn.Module:
    return cast(nn.Module, student.module)


def towers_of(student: Student) -> TwoTowers:
    return cast(TwoTowers, student.module)


class Projection:
    """A frozen random projection of pixels or tokens to unit vectors."""

    base: Encoder | None = None

    def __init__(self, modality: Modality, width: int, seed: int) -> None:
        self.key = f"projection {modality} {width} {seed}"
        self.modality = modality
        self.width = width
        self.seed = seed
        self.calls = 0

    def encode(self, items: Any, device: str) -> Tensor:
        self.calls += 1
        if self.modality == "image":
            floats = pixels_to_floats(Pixels().encode(items, device))
        else:
            floats = tokens_to_floats(Tokens().encode(items, device))
        generator = torch.Generator().manual_seed(self.seed)
        matrix = torch.randn(floats.shape[1], self.width, generator=generator).to(device)
        return normalize(floats @ matrix, dim=1)


class Sage:
    """A teacher of two random projections."""

    def __init__(self, *, width: int = 12, seed: int = 0, scale: float = 10.0) -> None:
        self.image = Projection("image", width, seed)
        self.text = Projection("text", width, seed)
        self.scale = scale

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(self.image, self.text, self.scale)


class Toys:
    """Offers everything here. `extra` are further offers by hook: `{"teachers": [Offer(…)]}`."""

    def __init__(self, **extra: Sequence[Offer[Any]]) -> None:
        self.extra = extra

    @hookimpl
    def kdbench_datasets(self) -> list[Offer[Dataset]]:
        return [Offer("beads", Beads), *self.extra.get("datasets", [])]

    @hookimpl
    def kdbench_teachers(self) -> list[Offer[Teacher]]:
        return [Offer("sage", Sage), *self.extra.get("teachers", [])]

    @hookimpl
    def kdbench_students(self) -> list[Offer[Student]]:
        return [Offer("toy", toy), *self.extra.get("students", [])]

    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Strategy]]:
        return [*self.extra.get("strategies", [])]


TOYS = Toys()
# Of suites of toys as YAML: a student without teachers and with two.
TAUGHT = """\
datasets: [beads]
students: [toy]
teachers:
  a: {use: sage, width: 10, seed: 1}
  b: {use: sage, width: 11, seed: 2}
teams: [[], [a, b]]
"""


def toy_plugins(**extra: Sequence[Offer[Any]]) -> Plugins:
    """The toys, the task they are of, and the first-party strategies and objectives."""
    found = Plugins()
    found.register(Toys(**extra), "tests:toys")
    for module in (retrieval, equal, fixed, random, ammkd, relational_kl, feature):
        found.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    return found


def run_context(folder: Path, **extra: Sequence[Offer[Any]]) -> RunContext:
    return RunContext(toy_plugins(**extra), Cache(folder / "cache"), folder / "results")


bench = run_context  # until everything has moved to the new name


def plugged(use: str, name: str = "", **params: Any) -> PluginSpec:
    """A plugin of a run; no defaults of its parameters are known."""
    return PluginSpec(name=name or use, use=use, params=params)


def term(use: str, coefficient: float = 1.0, **params: Any) -> TermSpec:
    """A term of an objective."""
    return TermSpec(name=use, use=use, params=params, coefficient=coefficient)


def sage(name: str) -> PluginSpec:
    """A teacher of a run. Those of different names differ in width and weights."""
    return plugged("sage", name, width=10 + ord(name) % 4, seed=ord(name))


def retrieval_spec(*recall_at: int, primary: str = "rsum") -> PluginSpec:
    """The task of a run, with the K of R@K; 1 and 5 by default."""
    params = {"recall_at": list(recall_at or (1, 5))} | ({"primary": primary} if primary != "rsum" else {})
    return PluginSpec(name="retrieval", use="retrieval", params=params, defaults={"recall_at": [1, 5, 10]})


def run_spec(
    team: Sequence[str | PluginSpec] = ("a", "b"), strategy: PluginSpec | None = None, seed: int = 0, **changes: Any
) -> RunSpec:
    """A run of the toys, 3 epochs of 4 steps. `train` changes some of its settings, other changes replace fields."""
    train = {"epochs": 3, "batch_size": 8, "lr": 0.02, "precision": "fp32", "checkpoint_every": 3} | changes.pop("train", {})
    fields: dict[str, Any] = {
        "suite": "toys",
        "task": retrieval_spec(),
        "dataset": plugged("beads"),
        "student": plugged("toy"),
        "team": tuple(sage(teacher) if isinstance(teacher, str) else teacher for teacher in team),
        "strategy": (strategy or plugged("equal")) if len(team) > 1 else None,
        "objective": (term("relational_kl"), term("feature", 0.5)) if team else (),
        "train": Train(**train),
        "evaluate": Evaluate(),
        "seed": seed,
    }
    return RunSpec(**(fields | changes))


def cached(folder: Path, dataset: Dataset | None = None) -> CachedDataset:
    return CachedDataset(dataset or Beads(), Cache(folder / "cache"))


def encoded(folder: Path, student: Student, name: SplitName) -> EncodedSplit:
    return encode_split(cached(folder), student, name)


def random_pairs(
    batch: int, width: int, scale: float = 5.0, seed: int = 0, dtype: torch.dtype = torch.float64, learn: bool = False
) -> Pairs:
    """Unit vectors, leaves of a graph if they are to `learn`."""
    generator = torch.Generator().manual_seed(seed)
    image, text = (normalize(torch.randn(batch, width, generator=generator, dtype=dtype), dim=1) for _ in range(2))
    return Pairs(image.requires_grad_(learn), text.requires_grad_(learn), scale)


def stored(width: int = 8, seed: int = 0, scale: float = 4.0) -> StoredEmbeddings:
    """Embeddings of 20 images and 30 captions, drawn at random."""
    rng = np.random.default_rng(seed)
    image, text = (rng.normal(size=(count, width)) for count in (20, 30))
    return StoredEmbeddings(
        (image / np.linalg.norm(image, axis=1, keepdims=True)).astype(np.float16),
        (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float16),
        scale,
        np.arange(20),
        np.arange(30) % 20,
    )


def team_teacher(name: str, width: int = 8, seed: int = 0, scale: float = 4.0) -> TeamTeacher:
    """A teacher of random embeddings, see `stored`."""
    return TeamTeacher(name, stored(width, seed, scale))


def batch_of(concepts: Tensor, progress: float = 0.5) -> Batch:
    """The first images and captions of a train split, of the given concepts."""
    return Batch(torch.arange(len(concepts)), torch.arange(len(concepts)), concepts, progress)


def signal_of(gradients: Tensor, names: Sequence[str] = (), seed: int = 0) -> StepSignal:
    """A signal whose teachers have the given gradients [T, n], n even: losses linear in the student's embeddings."""
    teachers, count = gradients.shape
    student = random_pairs(1, count // 2, dtype=gradients.dtype, learn=True)
    flat = torch.cat([student.image.flatten(), student.text.flatten()])
    batch = batch_of(torch.arange(1))
    return StepSignal(
        Retrieval(),
        Graph([(row @ flat)[None] for row in gradients], student, [[] for _ in gradients]),
        [random_pairs(1, 4, seed=place + 1) for place in range(teachers)],
        names or [f"teacher {place}" for place in range(teachers)],
        batch,
        pair_losses(student, batch.same),
        torch.Generator().manual_seed(seed),
    )


class NoModules:
    """In place of FlopCounterMode's own tracker, whose hooks fail where autograd.grad ends at the inputs of a module."""

    parents = ("Global",)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Count:
    """Wraps a function and counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.calls += 1
        return self.function(*arguments, **keywords)


def bits(state: dict[str, Tensor]) -> dict[str, bytes]:
    """The tensors of a state dict to the last bit; a NaN equals itself."""
    return {name: value.detach().cpu().contiguous().numpy().tobytes() for name, value in state.items()}


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def pairs_with(scale: Tensor | float, bias: Tensor | None = None) -> Callable[[Sequence[Tensor]], Pairs]:
    """Makes `Pairs` of image and text embeddings and whatever follows them, as the retrieval task does."""
    return lambda tensors: Pairs(tensors[0], tensors[1], scale, bias=bias)


def rank_split(student: Student, split: EncodedSplit, batch_size: int = 256) -> Ranks:
    """A student's retrieval ranks on an encoded split."""
    return Ranks(**evaluated(Retrieval(), student, split, batch_size, "cpu"))


def read_ranks(record: Path) -> Ranks:
    """The retrieval ranks beside a record."""
    return Ranks(**read_arrays(record))
