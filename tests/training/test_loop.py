"""The training loop: what a seed fixes, what survives an interruption, what is left at the end."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench import Batch, Objective, Pairs, PluginError, Signal, Strategy, Student
from kdbench.errors import Diverged
from kdbench.storage.checkpoint import Checkpoint
from kdbench.suite.settings import Evaluate, Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.tasks.retrieval.task import MAX_LOGIT_SCALE
from kdbench.training.evaluation import evaluated
from kdbench.training.loop import Trained, train
from kdbench.training.optimizer import schedule
from kdbench.training.readings import Readings
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.random import Random
from tests.support.toys import Toy, TwoTowers, bits, encoded, module_of, pixels_to_floats, stored, towers_of, toy

TASK = Retrieval(recall_at=[1, 5])
STEPS = 12  # 3 epochs of 4
TERMS: list[tuple[float, Objective]] = [(1.0, RelationalKL()), (0.5, Feature())]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodedSplit, EncodedSplit]:
    folder = tmp_path_factory.mktemp("beads")
    return encoded(folder, toy(), "train"), encoded(folder, toy(), "validation")


@pytest.fixture(scope="module")
def teachers() -> list[TeamTeacher]:
    """Teachers of different widths: 32 images and 48 captions have embeddings."""
    found = []
    for seed, name in enumerate("abc"):
        one = stored(width=6 + seed, seed=seed)
        image, text = np.resize(one.image, (32, 6 + seed)), np.resize(one.text, (48, 6 + seed))
        concepts = np.arange(16)
        found.append(TeamTeacher(name, StoredEmbeddings(image, text, 4.0, np.repeat(concepts, 2), np.repeat(concepts, 3))))
    return found


def stored_of(teacher: TeamTeacher) -> StoredEmbeddings:
    return cast(StoredEmbeddings, teacher.stored)


class Interrupted(Exception):
    """Raised in mid-run."""


@dataclass
class Training:
    """One call of `train` on the beads, with all it told."""

    splits: tuple[EncodedSplit, EncodedSplit]
    teachers: list[TeamTeacher]
    strategy: Strategy | None = None
    seed: int = 0
    build: Callable[[], Student] = toy
    settings: dict[str, Any] = field(default_factory=dict)
    every: int = 1
    losses: dict[int, float] = field(default_factory=dict)  # by step
    weights: dict[int, dict[str, float]] = field(default_factory=dict)
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)

    def run(self, checkpoint: Path | None = None, stop_at: int = 0) -> Trained:
        """Begins anew or goes on from the checkpoint; is interrupted right after step `stop_at`, before its checkpoint.

        A negative `stop_at` kills the process after as many steps of its own.
        """
        own = 0
        torch.manual_seed(self.seed)
        self.student = self.build()
        self.initial = bits(module_of(self.student).state_dict())
        team = Team(self.teachers, TERMS, self.student.width, self.seed, "cpu") if self.strategy else None
        settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "lr": 0.02, "precision": "fp32", "checkpoint_every": 3}
        settings |= self.settings

        def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:
            nonlocal own
            own += 1
            assert steps == 4 * settings["epochs"]
            self.losses[step] = loss
            self.weights[step] = weights
            if step == stop_at:
                raise Interrupted
            if own == -stop_at:
                os.kill(os.getpid(), signal.SIGKILL)

        self.trained = train(
            TASK,
            self.student,
            *self.splits,
            [Stage(Train(**settings), team, self.strategy)],
            Evaluate(every=self.every),
            self.seed,
            "cpu",
            Checkpoint(checkpoint) if checkpoint else None,
            on_step,
            self.epochs.__setitem__,
        )
        return self.trained

    def shown(self) -> list[bytes]:
        """Trains a student with dropout; what its image tower read at each step."""
        seen: list[bytes] = []

        def watch(_: nn.Module, inputs: tuple[Tensor]) -> None:
            seen.append(inputs[0].numpy().tobytes())

        def build() -> Student:
            student = toy(dropout=0.3)
            towers_of(student).image_tower.register_forward_pre_hook(watch)
            return student

        self.build = build
        self.run()
        return seen[:STEPS]

    def end(self) -> tuple[Any, ...]:
        """Everything that an interruption must not change."""
        trained = self.trained
        ranks = self.ranks()
        return (
            bits(module_of(self.student).state_dict()),
            (ranks["text"].tolist(), ranks["image"].tolist()),
            (trained.steps, trained.best_epoch, trained.validation, trained.weights, trained.trace),
            (self.losses, self.weights, self.epochs),
        )

    def ranks(self) -> Mapping[str, NDArray[Any]]:
        return evaluated(TASK, self.student, self.splits[1], 256, "cpu")


Splits = tuple[EncodedSplit, EncodedSplit]
Teachers = list[TeamTeacher]
STRATEGIES: list[Callable[[], Strategy | None]] = [lambda: None, Equal, Random, Ammkd]


def test_the_seed_fixes_initial_weights_and_batches_whatever_the_strategy(splits: Splits, teachers: Teachers) -> None:
    """Batches are seen through what the student's image tower is shown."""
    alone = Training(splits, teachers, every=3)
    first = alone.shown()
    assert len(set(first)) == STEPS
    for strategy in STRATEGIES[1:]:
        training = Training(splits, teachers, strategy(), every=3)
        assert training.shown() == first  # with dropout on them, to the last bit
        assert training.initial == alone.initial
    other = Training(splits, teachers, every=3, seed=1)
    assert not set(other.shown()) & set(first)
    assert other.initial != alone.initial


def test_a_strategy_that_draws_does_not_change_what_the_student_draws(splits: Splits, teachers: Teachers) -> None:
    sober, thirsty = (Training(splits, teachers, strategy, every=3) for strategy in (Equal(), Thirsty()))
    assert thirsty.shown() == sober.shown()


class Thirsty:
    """Draws random numbers from everywhere."""

    def weigh(self, signal: Signal) -> Tensor:
        torch.rand(7, generator=signal.generator)
        torch.rand(7)
        return torch.ones(3) / 3


class Compare:
    """Draws the same number of numbers from its own generator and from everyone's."""

    def __init__(self) -> None:
        self.draws: list[tuple[list[float], list[float]]] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.draws.append((torch.rand(4, generator=signal.generator).tolist(), torch.rand(4).tolist()))
        return torch.ones(3) / 3


def test_what_a_strategy_draws_is_not_what_the_student_draws(splits: Splits, teachers: Teachers) -> None:
    """Or the teacher that `random` chooses would go with certain dropout masks. Every step and every seed draws anew."""
    draws: list[str] = []
    for seed in (0, 1):
        compare = Compare()
        Training(splits, teachers, compare, seed=seed).run()
        draws += [str(draw) for both in compare.draws for draw in both]
    assert len(set(draws)) == len(draws) == 2 * 2 * STEPS


def test_strategies_end_differently_and_seeds_too(splits: Splits, teachers: Teachers) -> None:
    ends = []
    for strategy in STRATEGIES:
        for seed in (0, 1):
            training = Training(splits, teachers, strategy(), seed=seed)
            training.run()
            ends.append(str(training.end()[0]))
    assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_the_same_run_twice_is_the_same_to_the_last_bit(
    splits: Splits, teachers: Teachers, strategy: Callable[[], Strategy]
) -> None:
    trainings = [Training(splits, teachers, strategy()) for _ in range(2)]
    for training in trainings:
        training.run()
        torch.manual_seed(999)
    assert trainings[0].end() == trainings[1].end()


class Mindful:
    """Remembers: weights drift with the task losses it observed, the epochs it saw end, and its own draws."""

    def __init__(self) -> None:
        self.mean = torch.zeros(3)
        self.seen: list[float] = []
        self.best: float | None = None

    def weigh(self, signal: Signal) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * torch.rand(3, generator=signal.generator)
        return torch.softmax(5 * self.mean + sum(self.seen[-3:]) * torch.arange(3) / 10 + (self.best or 0), dim=0)

    def observe(self, loss: float) -> None:
        self.seen.append(loss)

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        self.best = None if validation is None else validation["mean_recall"]

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "seen": self.seen, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.seen, self.best = state["mean"], state["seen"], state["best"]


class Reporter(Mindful):
    """Has figures of its own, one of them not from the beginning."""

    def report(self) -> dict[str, float]:
        found = {"seen": float(len(self.seen)), "first": float(self.mean[0])}
        return found if self.best is None else {**found, "best": self.best}


@pytest.mark.parametrize("stop_at", [1, 3, 4, 5, 8, 11, 12])
@pytest.mark.parametrize("strategy", [lambda: None, Random, Ammkd, lambda: Reporter()])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    splits: Splits, teachers: Teachers, tmp_path: Path, strategy: Callable[[], Strategy | None], stop_at: int
) -> None:
    """Dropout, heads and optimiser too. The checkpoint is 0 to 3 steps old, in mid-epoch, at an end, or not there yet."""

    def build() -> Student:
        return toy(dropout=0.2)

    calm = Training(splits, teachers, strategy(), build=build)
    calm.run()
    torn = Training(splits, teachers, strategy(), build=build)
    path = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        torn.run(path, stop_at)
    assert path.exists() == (stop_at > 3)
    torch.manual_seed(4321)  # another process knows nothing of this one's random numbers
    torn.strategy = strategy()
    torn.run(path)
    assert torn.end() == calm.end()


@pytest.mark.parametrize("stops", [(1,), (30, 31), (3, 10, 17, 17, 58)])
@pytest.mark.parametrize("checkpoint_every", [1, 5])
def test_a_run_interrupted_in_the_middle_of_a_window(
    splits: Splits, teachers: Teachers, tmp_path: Path, stops: tuple[int, ...], checkpoint_every: int
) -> None:
    """60 steps are windows of two; checkpoints come after every step, or every fifth; an epoch has four."""
    settings = {"epochs": 15, "checkpoint_every": checkpoint_every}
    calm, torn = (Training(splits, teachers, Reporter(), every=5, settings=settings) for _ in range(2))
    calm.run()
    assert calm.trained.trace.step == list(range(2, 61, 2))
    for stop_at in stops:
        with pytest.raises(Interrupted):
            torn.run(tmp_path / "checkpoint", stop_at)
        torn.strategy = Reporter()
    torn.run(tmp_path / "checkpoint")
    assert torn.end() == calm.end()


@pytest.mark.parametrize("stops", [(2, 5, 6, 9, 10, 12), (4, 4, 8, 8)])
def test_a_run_interrupted_again_and_again(splits: Splits, teachers: Teachers, tmp_path: Path, stops: tuple[int, ...]) -> None:
    """Validated every other epoch only."""
    calm = Training(splits, teachers, Mindful(), every=2)
    calm.run()
    torn = Training(splits, teachers, every=2)
    for stop_at in stops:
        torn.strategy = Mindful()
        with pytest.raises(Interrupted):
            torn.run(tmp_path / "checkpoint", stop_at)
    torn.strategy = Mindful()
    torn.run(tmp_path / "checkpoint")
    assert torn.end() == calm.end()


@pytest.mark.parametrize("deaths", [(7,), (2, 9, 10, 20)])
def test_a_process_killed_while_checkpoints_go_by_time(
    splits: Splits, teachers: Teachers, tmp_path: Path, deaths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process is killed when it has trained so many steps; checkpoints come when the clock says."""
    monkeypatch.setattr("kdbench.training.pace.FIRST", 0.0)
    monkeypatch.setattr("kdbench.training.pace.SHARE", 0.5)
    settings = {"epochs": 15, "checkpoint_every": None}
    calm, torn = (Training(splits, teachers, Reporter(), every=5, settings=settings) for _ in range(2))
    calm.run()
    for steps in deaths:
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                torn.run(tmp_path / "checkpoint", stop_at=-steps)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (tmp_path / "checkpoint").exists()
    torn.run(tmp_path / "checkpoint")
    assert torn.end()[:3] == calm.end()[:3]
    assert torn.losses == {step: calm.losses[step] for step in torn.losses}
    assert len(torn.losses) < len(calm.losses)  # it did not begin anew


def test_a_run_that_had_ended_is_not_trained_again(splits: Splits, teachers: Teachers, tmp_path: Path) -> None:
    first = Training(splits, teachers, Ammkd())
    first.run(tmp_path / "checkpoint")
    again = Training(splits, teachers, Ammkd())
    again.run(tmp_path / "checkpoint")
    assert again.losses == {}
    assert again.end()[:3] == first.end()[:3]


def test_seconds_are_those_of_all_trainings(splits: Splits, teachers: Teachers, tmp_path: Path) -> None:
    first = Training(splits, teachers).run(tmp_path / "checkpoint")
    again = Training(splits, teachers).run(tmp_path / "checkpoint")
    assert again.seconds >= first.seconds * 0.5 > 0


@pytest.mark.parametrize("every", [1, 5, 100])
def test_how_often_it_is_saved_changes_nothing(splits: Splits, teachers: Teachers, tmp_path: Path, every: int) -> None:
    plain, saved = (Training(splits, teachers, Random(), settings={"checkpoint_every": every}) for _ in range(2))
    plain.run()
    saved.run(tmp_path / "checkpoint")
    assert saved.end() == plain.end()


@pytest.mark.fault("a damaged checkpoint")
def test_a_damaged_checkpoint_is_a_fresh_start(splits: Splits, teachers: Teachers, tmp_path: Path) -> None:
    calm, torn = (Training(splits, teachers, Random()) for _ in range(2))
    calm.run()
    path = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        torn.run(path, 8)
    path.write_bytes(path.read_bytes()[:-10])
    torn.run(path)
    assert torn.end() == calm.end()


def test_a_student_of_no_number_has_diverged(splits: Splits, teachers: Teachers, tmp_path: Path) -> None:
    training = Training(splits, teachers, Ammkd(), build=lambda: toy(poisoned=True))
    with pytest.raises(Diverged, match="loss nan at step 1 of 12"):
        training.run(tmp_path / "checkpoint")
    assert training.losses == {}


class Explosive:
    """A distillation loss that is not finite from some step on."""

    def __init__(self, value: float, step: int) -> None:
        self.value, self.left = value, step

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        self.left -= 1
        return student.image.exp().sum(dim=1) * (self.value if self.left <= 0 else 1.0)


@pytest.mark.parametrize("strategy", [Equal(), Random(), Ammkd(), Ammkd(normalize="l2")])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_has_diverged(
    splits: Splits, teachers: Teachers, monkeypatch: pytest.MonkeyPatch, strategy: Strategy, value: float
) -> None:
    monkeypatch.setattr("tests.training.test_loop.TERMS", [(1.0, Explosive(value, 3 * 6 + 1))])
    training = Training(splits, teachers, strategy)
    with pytest.raises(Diverged, match="at step 7 of 12"):
        training.run()
    assert list(training.losses) == [1, 2, 3, 4, 5, 6]


def measured(metrics: dict[str, float]) -> dict[str, float]:
    """What was measured on the validation split at an epoch's end."""
    return {name: value for name, value in metrics.items() if name != "loss" and not name.startswith("weight/")}


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("lr", [0.003, 0.3])
def test_the_student_is_left_at_its_best_epoch(splits: Splits, teachers: Teachers, every: int, lr: float) -> None:
    training = Training(splits, teachers, Equal(), settings={"lr": lr, "epochs": 3}, every=every)
    trained = training.run()
    validated = {epoch: metrics for epoch, metrics in training.epochs.items() if "mean_recall" in metrics}
    assert list(validated) == ([1, 2, 3] if every == 1 else [2, 3])
    best = max(metrics["mean_recall"] for metrics in validated.values())
    assert trained.best_epoch == min(epoch for epoch, metrics in validated.items() if metrics["mean_recall"] == best)
    assert trained.validation == measured(validated[trained.best_epoch]) == TASK.measure(training.ranks())
    assert not module_of(training.student).training


@pytest.mark.parametrize("first", [1, 2, 3, 9])
def test_the_best_epoch_is_one_that_may_be_kept(splits: Splits, teachers: Teachers, tmp_path: Path, first: int) -> None:
    """Of all, for a student that is never ready. A resumed run knows, too."""

    class Later(Toy):
        def ready(self) -> bool:
            self.asked = getattr(self, "asked", done) + 1
            return self.asked >= first

    def build() -> Student:
        return Later(TwoTowers(8), 8)

    done = 0
    training = Training(splits, teachers, Equal(), build=build, settings={"lr": 1.0})
    trained = training.run()
    validated = {epoch: metrics["mean_recall"] for epoch, metrics in training.epochs.items()}
    allowed = {epoch: recall for epoch, recall in validated.items() if epoch >= first} or validated
    assert trained.best_epoch == min(epoch for epoch, recall in allowed.items() if recall == max(allowed.values()))
    resumed = Training(splits, teachers, Equal(), build=build, settings={"lr": 1.0})
    with pytest.raises(Interrupted):
        resumed.run(tmp_path / "checkpoint", stop_at=11)
    done = 2  # epochs before the checkpoint of step 9
    assert resumed.run(tmp_path / "checkpoint").best_epoch == trained.best_epoch
    assert bits(module_of(resumed.student).state_dict()) == bits(module_of(training.student).state_dict())


def test_the_best_epoch_is_not_always_the_last(splits: Splits, teachers: Teachers) -> None:
    """Or the test above would not tell the best from the last."""
    bests = {Training(splits, teachers, Equal(), settings={"lr": lr}).run().best_epoch for lr in (0.003, 0.3, 1.0)}
    assert min(bests) < 3


def test_training_learns(splits: Splits, teachers: Teachers) -> None:
    training = Training(splits, teachers)
    training.run()
    assert training.epochs[3]["loss"] < 0.7 * training.epochs[1]["loss"]


def test_what_is_told_of_steps_and_epochs(splits: Splits, teachers: Teachers) -> None:
    training = Training(splits, teachers, Random())
    trained = training.run()
    assert list(training.losses) == list(range(1, STEPS + 1))
    assert list(training.epochs) == [1, 2, 3]
    for epoch, metrics in training.epochs.items():
        steps = [4 * epoch - place for place in range(4)]
        assert metrics["loss"] == pytest.approx(np.mean([training.losses[step] for step in steps]))
        for name in "abc":
            assert metrics[f"weight/{name}"] == pytest.approx(np.mean([training.weights[step][name] for step in steps]))
    assert len({str(metrics["weight/a"]) for metrics in training.epochs.values()}) > 1
    assert trained.steps == STEPS
    for name in "abc":
        assert trained.weights[name] == pytest.approx(np.mean([weights[name] for weights in training.weights.values()]))
        assert {weights[name] for weights in training.weights.values()} <= {0.0, 1.0}
    alone = Training(splits, teachers)
    assert alone.run().weights == {}
    assert set(map(str, alone.weights.values())) == {"{}"}
    assert not any(name.startswith("weight/") for metrics in alone.epochs.values() for name in metrics)


class Diary:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.lines.append(("weigh", signal.batch.progress))
        return torch.ones(3) / 3

    def observe(self, loss: float) -> None:
        self.lines.append(("observe", loss))

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        self.lines.append(("end_epoch", validation))


def test_optional_methods_of_a_strategy_are_called_in_their_order(splits: Splits, teachers: Teachers) -> None:
    diary = Diary()
    training = Training(splits, teachers, diary, settings={"distill": 0.0}, every=2)
    training.run()
    assert [name for name, _ in diary.lines] == [*["weigh", "observe"] * 4, "end_epoch"] * 3
    assert [value for name, value in diary.lines if name == "weigh"] == [step / STEPS for step in range(STEPS)]
    # Without λ the whole loss is the task loss.
    assert [value for name, value in diary.lines if name == "observe"] == pytest.approx(list(training.losses.values()))
    ends = [value for name, value in diary.lines if name == "end_epoch"]
    assert ends == [None, *(measured(training.epochs[epoch]) for epoch in (2, 3))]


def test_observe_is_told_the_task_loss_alone(splits: Splits, teachers: Teachers) -> None:
    diary = Diary()
    training = Training(splits, teachers, diary, settings={"distill": 5.0})
    training.run()
    bare = Training(splits, teachers)
    bare.run()
    observed = [value for name, value in diary.lines if name == "observe"]
    assert observed[0] == pytest.approx(bare.losses[1])
    assert observed[0] < training.losses[1] - 0.1


class Onlooker(Equal):
    """Keeps what it is shown of each batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[Batch, tuple[Tensor, ...]]] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.seen.append((signal.batch, signal.teacher_embeddings))
        return super().weigh(signal)


class After(Equal):
    """Keeps the losses before and after every step."""

    def __init__(self) -> None:
        self.told: list[tuple[Tensor, Tensor]] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.before = signal.losses
        return super().weigh(signal)

    def observe_after(self, losses: Tensor) -> None:
        assert not losses.requires_grad
        self.told.append((self.before, losses))


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_losses_after_a_step_are_those_of_the_same_batch(splits: Splits, teachers: Teachers, micro_batch: int | None) -> None:
    """Where the learning rate is nearly zero they repeat, dropout included; otherwise they mostly fall. The run is the same."""

    def build() -> Student:
        return toy(dropout=0.3)

    still, moving = After(), After()
    settings = {"micro_batch": micro_batch}
    Training(splits, teachers, still, build=build, settings=settings | {"lr": 1e-9}).run()
    run = Training(splits, teachers, moving, build=build, settings=settings)
    run.run()
    assert len(still.told) == STEPS
    for before, after in still.told:
        torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    assert sum(float(after.mean()) < float(before.mean()) for before, after in moving.told) > STEPS // 2
    plain = Training(splits, teachers, Equal(), build=build, settings=settings)
    plain.run()
    assert run.losses == plain.losses


def test_a_strategy_sees_the_pairs_of_the_batch_that_the_student_reads(splits: Splits, teachers: Teachers) -> None:
    """Images, captions and the teachers' embeddings of both belong together, and every epoch shows each image once."""
    data, onlooker = splits[0], Onlooker()
    training = Training(splits, teachers, onlooker, every=3)
    shown = training.shown()
    assert len(onlooker.seen) == STEPS
    for step, (batch, embeddings) in enumerate(onlooker.seen):
        assert batch.progress == step / STEPS
        assert batch.images.shape == batch.captions.shape == (8,)
        np.testing.assert_array_equal(batch.concepts, data.image_concepts[batch.images])
        np.testing.assert_array_equal(batch.concepts, data.caption_concepts[batch.captions])
        assert batch.same.diagonal().all()
        read = pixels_to_floats(torch.from_numpy(data.images[batch.images.numpy()]))
        kept = torch.frombuffer(bytearray(shown[step]), dtype=torch.float32).view(8, -1)
        assert ((kept == 0) | torch.isclose(kept, read / 0.7)).all()  # with dropout on them
        assert (kept != 0).float().mean() > 0.5
        for one, (image, text) in zip(teachers, embeddings, strict=True):
            np.testing.assert_allclose(image, stored_of(one).image[batch.images], atol=2e-3)
            np.testing.assert_allclose(text, stored_of(one).text[batch.captions], atol=2e-3)
    for epoch in range(3):
        images = torch.cat([batch.images for batch, _ in onlooker.seen[4 * epoch : 4 * epoch + 4]])
        assert images.sort().values.tolist() == list(range(32))


class Measurer(Equal):
    """Looks at the cosines of the teachers' gradients at each step."""

    def __init__(self) -> None:
        self.cosines: list[list[float]] = []

    def weigh(self, signal: Signal) -> Tensor:
        unit = nn.functional.normalize(signal.gradients.double(), dim=1)
        self.cosines.append([float(unit[i] @ unit[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
        return super().weigh(signal)


def test_gradients_are_compared_at_the_end_of_each_window(splits: Splits, teachers: Teachers) -> None:
    """At the same steps for those who do not look at gradients themselves."""
    measurer, settings = Measurer(), {"epochs": 15}
    looked = Training(splits, teachers, measurer, every=15, settings=settings).run().trace
    assert looked.step == list(range(2, 61, 2))
    for place, pair in enumerate(("a · b", "a · c", "b · c")):
        assert looked.cosines[pair] == pytest.approx([cosines[place] for cosines in measurer.cosines[1::2]], abs=1e-6)
    other = Training(splits, teachers, Equal(), every=15, settings=settings).run().trace
    for pair, column in other.cosines.items():
        assert len(column) == 30
        assert column[0] == pytest.approx(looked.cosines[pair][0], abs=1e-3)  # before rounding drives the runs apart
    assert len(other.conflict) == 30
    alone = Training(splits, teachers, settings=settings).run().trace
    assert (alone.cosines, alone.conflict) == ({}, [])


class SelfTaught(TwoTowers):
    """Has a loss of its own: its towers are to use few of their outputs, as many as a parameter of that loss says."""

    def __init__(self, share: float) -> None:
        super().__init__(8)
        self.share = share
        self.gate = nn.Parameter(torch.zeros(()))
        self.told: list[tuple[int, float]] = []

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        image, text = self.encode_image(images), self.encode_text(texts)
        return image, text, self.image_tower.weight.abs().sum(dim=0)

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        self.told.append((len(views), batch.progress))
        image, text, sizes = views
        return self.share * ((self.gate - 1) ** 2 + (image.abs() + text.abs()).mean() + sizes.sum())


def self_taught(share: float) -> Callable[[], Student]:
    return lambda: Toy(SelfTaught(share), 8)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_loss_of_the_students_own_is_trained_on(
    splits: Splits, teachers: Teachers, strategy: Callable[[], Strategy | None]
) -> None:
    with_loss, without = (Training(splits, teachers, strategy(), build=self_taught(share)) for share in (0.02, 0.0))
    sizes = []
    for training in (with_loss, without):
        training.run()
        module: Any = training.student.module
        assert module.told == [(3, step / STEPS) for step in range(STEPS)]
        sizes.append(float(module.image_tower.weight.detach().abs().sum()))
        assert (float(module.gate.detach()) > 0.01) == (training is with_loss)
    assert sizes[0] < sizes[1] - 1
    # It counts in the loss that is shown, and not in the task loss.
    assert with_loss.trained.trace.loss[0] > without.trained.trace.loss[0] + 0.3
    assert with_loss.trained.trace.task[0] == without.trained.trace.task[0]


def test_a_strategys_own_figures_are_in_the_series(splits: Splits, teachers: Teachers) -> None:
    """Asked after the step, when `observe` has been told."""
    report = Training(splits, teachers, Reporter()).run().trace.report
    assert report["seen"] == list(range(1, STEPS + 1))
    assert report["best"][:4] == [None] * 4
    assert None not in report["best"][4:]
    assert len(set(report["first"])) == STEPS
    assert Training(splits, teachers, Mindful()).run().trace.report == {}


class Idle(nn.Module):
    """Parameters of every kind that the loss does not hang on: their gradients are zero, and only decay moves them."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.inner: Any = student.module
        self.logit_scale = self.inner.logit_scale
        self.matrix = nn.Parameter(torch.ones(2, 2))
        self.filter = nn.Parameter(torch.ones(1, 2, 1, 1))
        self.bias = nn.Parameter(torch.ones(2))
        self.gain = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)

    def encode_image(self, images: Tensor) -> Tensor:
        idle = self.matrix.sum() + self.filter.sum() + self.bias.sum() + self.gain + self.frozen.sum()
        embedded: Tensor = self.inner.encode_image(images)
        return embedded + 0 * idle

    def encode_text(self, texts: Tensor) -> Tensor:
        embedded: Tensor = self.inner.encode_text(texts)
        return embedded


def test_matrices_decay_and_biases_norms_and_scales_do_not(splits: Splits, teachers: Teachers) -> None:
    def build() -> Student:
        student = toy()
        student.module = Idle(student)
        return student

    training = Training(splits, teachers, build=build, settings={"weight_decay": 0.5, "lr": 0.1, "epochs": 3})
    training.run()
    state = module_of(training.student).state_dict()
    last = training.trained.best_epoch * 4
    shrunk = math.prod(1 - 0.1 * schedule(step, STEPS, 0.1) * 0.5 for step in range(last))
    torch.testing.assert_close(state["matrix"], torch.full((2, 2), shrunk))
    torch.testing.assert_close(state["filter"], torch.full((1, 2, 1, 1), shrunk))
    for name in ("bias", "gain", "frozen"):
        assert (state[name] == 1).all()


def test_heads_are_trained_beside_the_student(splits: Splits, teachers: Teachers) -> None:
    torch.manual_seed(0)
    student = toy()
    team = Team(teachers, [(1.0, Feature())], student.width, 0, "cpu")
    before = bits(team.heads.state_dict())
    stage = Stage(Train(epochs=1, batch_size=8, precision="fp32"), team, Equal())
    train(TASK, student, *splits, [stage], Evaluate(), 0, "cpu")
    after = bits(team.heads.state_dict())
    assert all(after[name] != before[name] for name in before)
    assert not any("head" in name for name in module_of(student).state_dict())


def test_an_interrupted_run_with_an_average_in_pieces_ends_as_if_it_had_not_been(
    splits: Splits, teachers: Teachers, tmp_path: Path
) -> None:
    settings = {"ema": 0.9, "micro_batch": 3, "lr_scale": {"text*": 0.0}}
    calm, torn = (Training(splits, teachers, Ammkd(), build=lambda: toy(dropout=0.2), settings=settings) for _ in range(2))
    calm.run()
    with pytest.raises(Interrupted):
        torn.run(tmp_path / "checkpoint", 8)
    torn.strategy = Ammkd()
    torn.run(tmp_path / "checkpoint")
    assert torn.end() == calm.end()
    state = bits(module_of(calm.student).state_dict())
    assert {name for name, value in state.items() if value == calm.initial[name]} == {"text_tower.weight", "text_tower.bias"}


def test_the_moving_average_is_what_is_validated_and_kept(splits: Splits, teachers: Teachers) -> None:
    """The weights themselves go on as without it."""
    plain, averaged = (Training(splits, teachers, Equal(), settings=given) for given in ({}, {"ema": 0.999}))
    plain.run()
    averaged.run()
    assert averaged.losses == plain.losses
    assert averaged.trained.validation == TASK.measure(averaged.ranks())
    assert bits(module_of(averaged.student).state_dict()) != bits(module_of(plain.student).state_dict())


def test_pieces_train_as_the_whole_batch_does(splits: Splits, teachers: Teachers) -> None:
    whole, cut = (Training(splits, teachers, Ammkd(), settings=given) for given in ({}, {"micro_batch": 3}))
    whole.run()
    cut.run()
    assert list(cut.losses.values()) == pytest.approx(list(whole.losses.values()), rel=1e-4)


def test_without_the_task_loss_the_student_sees_teachers_alone(splits: Splits, teachers: Teachers) -> None:
    """Teachers weighted by zero then leave nothing to train but what decays."""
    settings = {"task": 0.0, "distill": 0.0, "weight_decay": 0.0}
    still = Training(splits, teachers, Equal(), settings=settings)
    still.run()
    assert bits(module_of(still.student).state_dict()) == still.initial
    taught = Training(splits, teachers, Equal(), settings=settings | {"distill": 1.0})
    taught.run()
    assert taught.losses[STEPS] < taught.losses[1]


@pytest.mark.parametrize(("start", "lr"), [(MAX_LOGIT_SCALE + 3, 1e-4), (-1.0, 1e-4)])
def test_the_logit_scale_is_kept_within_bounds(splits: Splits, teachers: Teachers, start: float, lr: float) -> None:
    def build() -> Student:
        student = toy()
        with torch.no_grad():
            student.module.logit_scale.fill_(start)
        return student

    training = Training(splits, teachers, build=build, settings={"lr": lr})
    training.run()
    assert 0 <= float(training.student.module.logit_scale.detach()) <= MAX_LOGIT_SCALE


def test_gradients_of_the_student_are_clipped(splits: Splits, teachers: Teachers, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *arguments: Any, **keywords: Any) -> Any:
        gradients = [p.grad.flatten() for p in module_of(training.student).parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    training = Training(splits, teachers, settings={"clip_norm": 0.05})
    training.run()
    assert len(norms) == STEPS
    assert max(norms) <= 0.05 * (1 + 1e-4)
    norms.clear()
    training = Training(splits, teachers, settings={"clip_norm": 1e6})
    training.run()
    assert max(norms) > 0.06


def test_bf16_changes_the_arithmetic_and_not_the_parameters(splits: Splits, teachers: Teachers) -> None:
    plain, half = (Training(splits, teachers, Ammkd(), settings={"precision": precision}) for precision in ("fp32", "bf16"))
    plain.run()
    half.run()
    assert half.losses != plain.losses
    assert half.losses[1] == pytest.approx(plain.losses[1], rel=0.05)
    assert all(value.dtype == torch.float32 for value in module_of(half.student).state_dict().values())


def test_a_batch_larger_than_the_data_is_one_step_an_epoch(splits: Splits) -> None:
    torch.manual_seed(0)
    told: list[tuple[int, int]] = []

    def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:  # noqa: ARG001
        told.append((step, steps))

    stage = Stage(Train(epochs=2, batch_size=256, precision="fp32"))
    train(TASK, toy(), *splits, [stage], Evaluate(), 0, "cpu", on_step=on_step)
    assert told == [(1, 2), (2, 2)]


def test_a_student_with_one_tower_frozen_trains_the_other(splits: Splits, teachers: Teachers) -> None:
    def build() -> Student:
        student = toy()
        towers_of(student).text_tower.requires_grad_(False)
        return student

    training = Training(splits, teachers, Equal(), build=build)
    training.run()
    after = bits(module_of(training.student).state_dict())
    assert after["text_tower.weight"] == training.initial["text_tower.weight"]
    assert after["image_tower.weight"] != training.initial["image_tower.weight"]


LONG = {"epochs": 30, "checkpoint_every": 2}  # 120 steps, of which the trace adds up three at a time


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are read as seldom as they may be, as on a GPU whose steps are short."""
    monkeypatch.setattr("kdbench.training.learner.Readings.of", lambda *_: Readings(math.inf))


@pytest.mark.parametrize("build", [lambda: None, Equal, Ammkd, Random])
def test_numbers_that_are_read_later_are_the_same(
    splits: Splits,
    teachers: Teachers,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    build: Callable[[], Strategy | None],
) -> None:
    """To the bit, also after an interruption in the middle of a window."""
    at_once = Training(splits, teachers, build(), settings=LONG)
    at_once.run()
    request.getfixturevalue("later")
    for stop_at in (0, 50):
        training = Training(splits, teachers, build(), settings=LONG)
        if stop_at:
            with pytest.raises(Interrupted):
                training.run(tmp_path / f"checkpoint{stop_at}", stop_at)
            training.strategy = build()
        training.run(tmp_path / f"checkpoint{stop_at}")
        assert training.end() == at_once.end(), stop_at
        assert len(training.trained.trace.step) == 40


@pytest.mark.usefixtures("later")
def test_a_run_that_diverged_is_found_when_its_numbers_are_read(
    splits: Splits, teachers: Teachers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.training.test_loop.TERMS", [(1.0, Explosive(math.nan, 3 * 7 + 1))])
    training = Training(splits, teachers, Equal(), settings=LONG)
    with pytest.raises(Diverged, match="loss nan at step 8 of 120"):
        training.run()
    assert list(training.losses) == [1, 2, 3, 4, 5, 6, 7]


class Failing:
    """Returns weights of no number at the eighth step, and fails at the ninth."""

    def __init__(self) -> None:
        self.steps = 0

    def weigh(self, signal: Signal) -> Tensor:
        self.steps += 1
        if self.steps == 9:
            raise ValueError("the weights before were no numbers")
        return signal.losses.new_full((3,), math.nan if self.steps == 8 else 1 / 3)


@pytest.mark.usefixtures("later")
def test_an_error_that_follows_from_an_earlier_one_does_not_hide_it(splits: Splits, teachers: Teachers) -> None:
    with pytest.raises(PluginError, match=r"Failing.weigh: found \[nan, nan, nan\], expected finite weights"):
        Training(splits, teachers, Failing(), settings=LONG).run()
