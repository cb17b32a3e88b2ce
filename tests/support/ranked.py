"""What the ranks of test_distributed do: each compares its share of the work with the same done by one process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from kdbench import Batch, Objective, Offer, Signal, Strategy
from kdbench.engines.torchrun import execute_rank
from kdbench.records.record import Record
from kdbench.storage.checkpoint import Checkpoint
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import RunSpec
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.training.distributed import ALONE, Rank, Relay, World
from kdbench.training.launch import Tell
from kdbench.training.loop import Trained, train
from kdbench.training.pieces import forward_in
from kdbench.training.stage import Stage
from kdbench.training.step import StepResult, Teaching, backward
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.class_vector_kl import ClassVectorKL
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.interactive import Interactive
from kdbench_plugins.objectives.mac import Mac
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.objectives.self_distill import SelfDistill
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.meta import Meta
from kdbench_plugins.strategies.mtkd_rl import MtkdRl
from kdbench_plugins.strategies.random import Random
from kdbench_plugins.strategies.whiten_mtd import WhitenMtd
from kdbench_plugins.students.fusion_network import FusionModule, FusionNetwork
from tests.support.toys import (
    BEADS,
    SharedTowers,
    Toy,
    TwoTowers,
    batch_of,
    module_of,
    pairs_with,
    pixels_to_floats,
    run_context,
    team_teacher,
    toy,
)

WIDTH = 4
CONCEPTS = torch.tensor([0, 1, 2, 0, 3, 4, 5, 1])
OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "relational_kl": RelationalKL,
    "class_vector_kl": ClassVectorKL,
    "class_vector_kl of some": lambda: ClassVectorKL(bank=3, hidden=5),
    "feature": Feature,
    "interactive": Interactive,
    "mac": Mac,
    "self_distill": SelfDistill,
}


class PerSample:
    """Weighs each sample by its own losses, after a look at gradients."""

    def weigh(self, signal: Signal) -> Tensor:
        return torch.softmax(signal.losses + signal.truth_losses + signal.gramian.diagonal()[:, None], dim=0)


class ParameterReader:
    """Weighs by gradients at the student's parameters, smoothly."""

    def weigh(self, signal: Signal) -> Tensor:
        gramian = signal.parameter_gramian
        return torch.softmax(gramian.sum(dim=1) / gramian.trace(), dim=0)


STRATEGIES: dict[str, Callable[[], Strategy | None]] = {
    "ammkd": Ammkd,
    "equal": Equal,
    "ammkd of parameters": lambda: Ammkd(space="parameters"),
    "parameters": ParameterReader,
    "per sample": PerSample,
    "mtkd_rl": MtkdRl,
    "random": Random,
    "meta": Meta,
    "whiten_mtd": WhitenMtd,
}


class TokenTowers(TwoTowers):
    """Two towers whose tokens a fusion network can read: the beads, and their colours."""

    def encode_image_tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = torch.einsum("brcp,wrpc->bcw", images.float() / 255 - 0.5, self.patches())
        return self.encode_image(images), tokens

    def patches(self) -> Tensor:
        return self.image_tower.weight.reshape(-1, BEADS, BEADS, 3).transpose(2, 3)

    def encode_text_tokens(self, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows = self.text_tower.weight.reshape(-1, BEADS, 3).permute(1, 2, 0)
        tokens = torch.stack([rows[place][texts[:, place].long()] for place in range(BEADS)], dim=1)
        return self.encode_text(texts), tokens, texts < 2


class Gated(TwoTowers):
    """An auxiliary loss of what both towers saw, of a view without gradient, of a parameter of its own, and of one that its
    towers have too; and a parameter that nothing uses."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.gate = nn.Parameter(torch.tensor(0.3))
        self.idle = nn.Parameter(torch.ones(3))

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        hidden = self.image_tower(pixels_to_floats(images).to(self.gate.dtype))
        return normalize(hidden, dim=1), self.encode_text(texts), hidden, texts

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        image, text, hidden, tokens = views
        own = self.gate * (hidden.tanh() * text).mean() + (batch.concepts * (image[:, 0] ** 2 + tokens.sum(dim=1))).mean()
        return own + 0.1 * self.text_tower.weight.square().sum()


class Biased(TwoTowers):
    """Has a bias of its logits, and learns by the sigmoid loss."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.logit_bias = nn.Parameter(torch.tensor(-3.0))


def plain(dtype: torch.dtype, frozen: str = "") -> nn.Module:
    module = TwoTowers(WIDTH).to(dtype)
    if frozen:
        getattr(module, frozen).requires_grad_(False)
    return module


STUDENTS: dict[str, Callable[[], nn.Module]] = {
    "float32": lambda: plain(torch.float32),
    "float64": lambda: plain(torch.float64),
    "frozen": lambda: plain(torch.float64, "image_tower"),
    "frozen scale": lambda: plain(torch.float64, "logit_scale"),  # no gradient above the outputs without heads
    "shared": lambda: SharedTowers(WIDTH),
    "gated": lambda: Gated(WIDTH),
    "biased": lambda: Biased(WIDTH),
    "fusion": lambda: FusionModule(cast(Any, TokenTowers(WIDTH)), FusionNetwork(WIDTH, WIDTH, 6, 2), 0.5),
}


@dataclass
class Outcome:
    """One step: what it returned and the gradients it left."""

    result: StepResult
    grads: dict[str, Tensor | None]
    strategy: Strategy | None

    def values(self) -> dict[str, Tensor | None]:
        result = self.result
        return {
            "loss": result.loss,
            "task": result.task,
            "weights": result.weights,
            "gramian": result.gramian,
            **{f"gradient of {name}": grad for name, grad in self.grads.items()},
        }


def step(student: str, objective: str, strategy: str, batch: int, world: World, pieces: int = 1) -> Outcome:
    """A step on the first pairs of CONCEPTS, shared by the ranks of the world, the towers in `pieces`."""
    torch.manual_seed(0)
    module: Any = STUDENTS[student]()
    teachers = [team_teacher(name, width=4 + place, seed=place, scale=3.0 + place) for place, name in enumerate("abc")]
    team = Team(teachers, [(0.8, OBJECTIVES[objective]())], WIDTH, 0, "cpu") if objective else None
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (batch, BEADS, BEADS, 3), dtype=torch.uint8, generator=generator)
    texts = torch.randint(0, 3, (batch, BEADS), generator=generator)
    relay = Relay([module, team.heads if team else nn.ModuleList()]) if world.size > 1 else None
    rows = world.read(batch)
    auxiliary = getattr(module, "auxiliary_loss", None)
    encode = module.encode_views if auxiliary else lambda *read: (module.encode_image(read[0]), module.encode_text(read[1]))
    views = forward_in(pieces, lambda given: encode(*given), [images[rows], texts[rows]], module, "the student")
    torch.manual_seed(1)
    chosen = STRATEGIES[strategy]() if strategy else None
    teaching = None
    pairs = batch_of(CONCEPTS[:batch])
    if team:
        teaching = Teaching(team, team.outputs(pairs), chosen, 0.7, Generator().manual_seed(2))
    parameters = [p for p in module.parameters() if p.requires_grad]
    bias = getattr(module, "logit_bias", None)
    wrap, loss = pairs_with(module.logit_scale.exp(), bias), None if bias is None else "siglip"
    result = backward(Retrieval(), views, wrap, pairs, teaching, parameters, auxiliary, True, world, relay, loss_name=loss)
    named = [*module.named_parameters(), *(team.heads.named_parameters("heads") if team else ())]
    return Outcome(result, {name: parameter.grad for name, parameter in named}, chosen)


Case = tuple[str, str, str, int]  # student, objective, strategy, batch


def furthest(cases: Sequence[Case], world: World) -> dict[str, float]:
    """Of each case, how far the shared step is from that of one process, relative to the largest value of a tensor."""
    found = {}
    for case in cases:
        shared, alone = step(*case, world).values(), step(*case, ALONE).values()
        assert shared.keys() == alone.keys()
        worst = 0.0
        for name, value in alone.items():
            other = shared[name]
            if value is None or other is None:
                assert value is other, f"{case}: {name} is {other}, expected {value}"
                continue
            assert torch.isfinite(other).all()
            size = max(float(value.abs().max()), 1e-2)
            worst = max(worst, float((other - value).abs().max()) / size)
        found[str(case)] = worst
    return found


@dataclass
class Training:
    """A whole training of the toy, to be shared by any number of ranks."""

    splits: tuple[EncodedSplit, EncodedSplit]
    teachers: list[TeamTeacher]
    strategy: str = "ammkd"
    batch: int = 8
    dropout: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def train(self, world: World, checkpoint: Path | None = None, stop_at: int = 0) -> tuple[Toy, Trained | None, list[float]]:
        """The student, what the training left behind (None where it was stopped after a step), the losses."""
        torch.manual_seed(0)
        student = toy(dropout=self.dropout)
        terms: list[tuple[float, Objective]] = [(1.0, RelationalKL()), (0.5, Feature())]
        team = Team(self.teachers, terms, student.width, 0, "cpu")
        settings: dict[str, Any] = {"epochs": 3, "batch_size": self.batch, "lr": 0.005, "checkpoint_every": 2}
        losses: list[float] = []

        def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:  # noqa: ARG001
            losses.append(loss)
            if step == stop_at:
                raise InterruptedError

        trained = None
        with suppress(InterruptedError):
            trained = train(
                Retrieval(recall_at=[1, 5]),
                student,
                *self.splits,
                [Stage(Train(precision="fp32", **(settings | self.settings)), team, STRATEGIES[self.strategy]())],
                Evaluate(),
                0,
                "cpu",
                Checkpoint(checkpoint) if checkpoint else None,
                on_step,
                world=world,
            )
        return student, trained, losses


def gap(first: nn.Module, second: nn.Module) -> float:
    """The largest difference of two modules' parameters."""
    other = second.state_dict()
    return max(float((value - other[name]).abs().max()) for name, value in first.state_dict().items())


def compared(rank: Rank, tell: Tell, cases: list[Case], trainings: list[Training], folder: Path) -> None:
    """Tells how far steps and trainings of several ranks are from those of one process."""
    torch.set_num_threads(1)
    with rank.joined("cpu") as world:
        tell({"steps": furthest(cases, world)})
        tell({"above": above(world)})
        for number, training in enumerate(trainings):
            shared, trained, losses = training.train(world)
            alone, expected, single = training.train(ALONE)
            assert trained is not None
            assert expected is not None
            assert trained.validation.keys() == expected.validation.keys()
            tell(
                {
                    "training": number,
                    "dropout": training.dropout,
                    "metrics": trained.validation,
                    "best": (trained.best_epoch, expected.best_epoch),
                    "weights": gap(module_of(shared), module_of(alone)),
                    "losses": float(np.abs(np.subtract(losses, single)).max()),
                    "ranks": gap_between_ranks(module_of(shared), world),
                }
            )
        if trainings:
            resumed(trainings[0], world, folder, tell)


def above(world: World) -> list[float | None]:
    """What becomes of gradients that are there before the backward that is shared: one of each rank's own, and none."""
    tower, other = nn.Linear(2, 2), nn.ParameterList([torch.zeros(1), torch.zeros(1)])
    relay = Relay([tower, other])
    other[0].grad = torch.full((1,), float(world.rank))
    relay.backward([tower(torch.ones(1, 2))], [torch.ones(world.size, 2)], world)
    assert tower.bias.grad is not None
    assert tower.bias.grad.tolist() == [world.size, world.size]
    return [None if parameter.grad is None else float(parameter.grad) for parameter in other]


def gap_between_ranks(module: nn.Module, world: World) -> float:
    """How far this rank's parameters are from the first one's: nothing at all, one hopes."""
    return max(float((world.agreed(value) - value).abs().max()) for value in module.state_dict().values())


def resumed(training: Training, world: World, folder: Path, tell: Tell) -> None:
    """Stops after step 5 with some ranks and resumes with others; tells how far the end is from one process's."""
    straight, _, whole = training.train(ALONE)
    left = len(whole) - 4  # from the checkpoint after step 4
    training.train(world, folder / "many.safetensors", stop_at=5)
    later: list[Toy] = []
    dist.barrier()
    if world.first:
        student, _, losses = training.train(ALONE, folder / "many.safetensors")
        assert len(losses) == left
        later.append(student)
        training.train(ALONE, folder / "one.safetensors", stop_at=5)
    dist.barrier()
    # The other ranks look for a checkpoint where there is none, as on a machine of their own.
    student, _, losses = training.train(world, folder / "one.safetensors" if world.first else folder / "elsewhere.safetensors")
    assert len(losses) == left
    later.append(student)
    tell({"resumed": [gap(module_of(straight), module_of(other)) for other in later]})


def lonely(values: Tensor) -> bool:
    """Whether a world of one hands on what it is given, itself."""
    return ALONE.gather(values, len(values)) is values and ALONE.sum(values) is values and ALONE.agreed(values) is values


def executes(rank: Rank, tell: Tell, spec: RunSpec, folder: Path) -> Record | None:
    """A rank of a run as another launcher starts it. Each has a cache of its own, and only rank 0 a results folder."""

    def build(*, width: int = 8) -> object:
        tell(f"rank {rank.index} builds a student")
        return toy(width=width)

    record = execute_rank(spec, run_context(folder / f"{rank.index}", students=[Offer("told", build)]), rank)
    tell(f"rank {rank.index}: {record.status if record else None}")
    return record


def executes_twice(rank: Rank, tell: Tell, spec: RunSpec, folder: Path) -> list[Record | None]:
    """The same rank of the same run once more; ranks of two runs meet at two places."""
    return [executes(replace(rank, init_method=f"{rank.init_method}{time}"), tell, spec, folder) for time in range(2)]


OWN_CODE = """
from tests.support.toys import toy

def build(*, width: int = {width}):
    return toy(width=8)
"""


def executes_its_own_code(rank: Rank, tell: Tell, spec: RunSpec, folder: Path) -> None:
    """A rank whose student's module differs from that of other ranks, as where machines have other installations."""
    own = folder / f"code{rank.index}"
    own.mkdir()
    (own / "student_of_a_rank.py").write_text(OWN_CODE.format(width=8 + rank.index))
    sys.path.insert(0, str(own))
    build = import_module("student_of_a_rank").build
    record = execute_rank(spec, run_context(folder / f"{rank.index}", students=[Offer("told", build)]), rank)
    tell(f"rank {rank.index}: {record.status if record else None}")
