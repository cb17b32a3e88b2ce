"""Trainings of several stages: what each has for itself, what they share, and what a resume keeps."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import KdbenchError, Objective, Signal, Strategy
from kdbench.storage.checkpoint import Checkpoint
from kdbench.suite.settings import Evaluate, Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.training.evaluation import evaluated
from kdbench.training.loop import Trained, train
from kdbench.training.optimizer import schedule
from kdbench.training.stage import Stage, tell
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.rl_select import RlSelect
from tests.support.toys import Toy, bits, encoded, module_of, stored, towers_of, toy

TASK = Retrieval(recall_at=[1, 5])
STEPS = 4  # an epoch's
FROZEN = {"lr_scale": {"*": 0.0}}


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodedSplit, EncodedSplit]:
    folder = tmp_path_factory.mktemp("beads")
    return encoded(folder, toy(), "train"), encoded(folder, toy(), "validation")


def team(*terms: Objective) -> Team:
    """Two teachers of different widths."""
    members = []
    for seed, name in enumerate("ab"):
        one = stored(width=6 + seed, seed=seed)
        image, text = np.resize(one.image, (32, 6 + seed)), np.resize(one.text, (48, 6 + seed))
        concepts = np.arange(16)
        members.append(TeamTeacher(name, StoredEmbeddings(image, text, 4.0, np.repeat(concepts, 2), np.repeat(concepts, 3))))
    return Team(members, [(1.0, term) for term in terms], 8, 0, "cpu")


@dataclass
class Watched:
    """A strategy that notes what it is told, and remembers."""

    seen: list[tuple[int, float]] = field(default_factory=list)  # images of a batch, progress
    epochs: int = 0

    def weigh(self, signal: Signal) -> Tensor:
        self.seen.append((int(signal.batch.images.sum()), signal.batch.progress))
        return torch.softmax(torch.tensor([len(self.seen) / 10, float(self.epochs)]), dim=0)

    def end_epoch(self, validation: dict[str, float] | None) -> None:  # noqa: ARG002
        self.epochs += 1

    def report(self) -> dict[str, float]:
        return {"seen": float(len(self.seen))}

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen, self.epochs = [(images, progress) for images, progress in state["seen"]], state["epochs"]


def settings(epochs: int, **more: Any) -> Train:
    return Train(epochs=epochs, batch_size=8, lr=0.02, precision="fp32", checkpoint_every=3, **more)


def rl_kd(policy: Strategy | None = None) -> list[Stage]:
    """RL-KD's three: the student on the average of all, the selector with the student frozen, then jointly."""
    policy = policy or RlSelect(warmup=0.0, pretrain=0.0)
    shared = team(RelationalKL(), Feature())
    return [
        Stage(settings(1), shared, Equal()),
        Stage(settings(2, **FROZEN), shared, policy),
        Stage(settings(2, ema=0.9), shared, policy),
    ]


def two_objectives() -> list[Stage]:
    """Another objective in each, and the first one again; half the student is frozen in the second."""
    first, second, weigher = team(Feature()), team(RelationalKL()), Watched()
    part = {"lr_scale": {"image_tower.*": 0.0}}
    return [
        Stage(settings(1), first, weigher),
        Stage(settings(2, **part), second, Equal()),
        Stage(settings(2), first, weigher),
    ]


class Interrupted(Exception):
    """Raised in mid-run."""


@dataclass
class Training:
    """One call of `train`, with all it told."""

    splits: tuple[EncodedSplit, EncodedSplit]
    stages: list[Stage]
    student: Toy = field(init=False)
    dropout: float = 0.2
    every: int = 1
    losses: dict[int, float] = field(default_factory=dict)  # by step
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    weights: dict[int, Any] = field(default_factory=dict)  # of the student after each step, as bytes

    def run(self, checkpoint: Path | None = None, stop_at: int = 0, kill_at: int = 0) -> Trained:
        torch.manual_seed(0)
        self.student = toy(dropout=self.dropout)
        module = module_of(self.student)

        def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:  # noqa: ARG001
            self.losses[step] = loss
            self.weights[step] = bits(module.state_dict())
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if step == stop_at:
                raise Interrupted

        self.trained = train(
            TASK,
            self.student,
            *self.splits,
            self.stages,
            Evaluate(every=self.every),
            0,
            "cpu",
            Checkpoint(checkpoint) if checkpoint else None,
            on_step,
            self.epochs.__setitem__,
        )
        return self.trained

    def end(self) -> tuple[Any, ...]:
        trained = self.trained
        ranks = evaluated(TASK, self.student, self.splits[1], 256, "cpu")
        return (
            bits(module_of(self.student).state_dict()),
            {name: array.tolist() for name, array in ranks.items()},
            (trained.steps, trained.best_epoch, trained.validation, trained.weights, trained.trace),
        )


Splits = tuple[EncodedSplit, EncodedSplit]
RECIPES = {"rl-kd": rl_kd, "objectives": two_objectives}


def test_telling_a_strategy_what_it_does_not_hear() -> None:
    assert tell(None, "end_epoch", None) is None
    assert tell(Equal(), "observe", 1.0) is None
    assert tell(Watched(), "report") == {"seen": 0.0}


@pytest.fixture(scope="module")
def calm(splits: Splits) -> dict[str, Training]:
    """Each recipe without an interruption."""
    found = {name: Training(splits, recipe(), every=2) for name, recipe in RECIPES.items()}
    for training in found.values():
        training.run()
    return found


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stop_at", [1, 3, 4, 5, 7, 11, 12, 13, 16, 19])
def test_an_interrupted_stage_ends_as_if_it_had_not_been(
    splits: Splits, tmp_path: Path, calm: dict[str, Training], recipe: str, stop_at: int
) -> None:
    """At every kind of step; the checkpoint is 0 to 3 steps old, of an earlier stage, or not there yet."""
    torn = Training(splits, RECIPES[recipe](), every=2)
    with pytest.raises(Interrupted):
        torn.run(tmp_path / "checkpoint", stop_at)
    assert (tmp_path / "checkpoint").exists() == (stop_at > 3)
    torch.manual_seed(4321)
    torn.stages = RECIPES[recipe]()
    torn.run(tmp_path / "checkpoint")
    assert torn.end() == calm[recipe].end()
    assert (torn.losses, torn.epochs) == (calm[recipe].losses, calm[recipe].epochs)


@pytest.mark.fault("a run that is killed in each of its stages")
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_process_killed_in_each_stage(splits: Splits, tmp_path: Path, calm: dict[str, Training], recipe: str) -> None:
    for step in (
        3,
        4,
        10,
        13,
        20,
    ):  # in the first stage and at its end, in the second and at the third's first step, at the end
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                Training(splits, RECIPES[recipe](), every=2).run(tmp_path / "checkpoint", kill_at=step)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    torn = Training(splits, RECIPES[recipe](), every=2)
    torn.run(tmp_path / "checkpoint")
    assert torn.end() == calm[recipe].end()
    assert len(torn.losses) < len(calm[recipe].losses)  # it did not begin anew


def test_stages_show_in_the_trace_and_windows_end_with_them(splits: Splits) -> None:
    stages = [Stage(settings(13)), Stage(settings(2)), Stage(settings(11))]  # 104 steps are windows of three
    trace = Training(splits, stages, every=50).run().trace
    ends = [at for at, (one, following) in zip(trace.step, pairwise([*trace.stage, 0]), strict=True) if one != following]
    assert ends == [52, 60, 104]
    assert sorted(set(trace.stage)) == [1, 2, 3]
    assert max(np.diff([0, *trace.step])) == 3
    assert Training(splits, stages[:1], every=50).run().trace.stage == []


def test_learning_rate_progress_and_report_are_a_stages_own(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches go on: no stage shows again what the one before has shown."""
    asked: list[tuple[int, int, float]] = []

    def noted(step: int, steps: int, warmup: float) -> float:
        asked.append((step, steps, warmup))
        return schedule(step, steps, warmup)

    monkeypatch.setattr("kdbench.training.learner.schedule", noted)
    first, second, shared = Watched(), Watched(), team(RelationalKL())
    stages = [Stage(settings(1, warmup=0.5), shared, first), Stage(settings(2), shared, second)]
    trained = Training(splits, stages).run()
    expected = [*((step, 4, 0.5) for step in range(4)), *((step, 8, 0.1) for step in range(8))]
    assert list(dict.fromkeys(asked)) == expected  # once for each group of parameters
    assert [progress for _, progress in first.seen] == [0.0, 0.25, 0.5, 0.75]
    assert [progress for _, progress in second.seen] == [step / 8 for step in range(8)]
    assert trained.trace.report["seen"] == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8]
    assert (first.epochs, second.epochs) == (1, 2)
    whole = Watched()
    Training(splits, [Stage(settings(3), shared, whole)]).run()
    assert [images for images, _ in first.seen + second.seen] == [images for images, _ in whole.seen]


def test_what_a_stage_freezes_is_bit_equal_and_trains_again_after_it(splits: Splits) -> None:
    training = Training(splits, two_objectives())
    training.run()
    after = training.weights
    tower = "image_tower.weight"
    assert after[4][tower] == after[12][tower]  # all of the second stage
    assert after[4]["text_tower.weight"] != after[5]["text_tower.weight"]
    assert after[12][tower] != after[13][tower]
    whole = Training(splits, rl_kd())
    whole.run()
    assert whole.weights[4] == whole.weights[12] != whole.weights[13]
    assert towers_of(whole.student).image_tower.weight.requires_grad


def test_a_stage_without_anything_to_train_passes(splits: Splits) -> None:
    """A row without teachers, in a recipe that trains a selector in its second stage: its budget is the same."""
    stages = [Stage(settings(1)), Stage(settings(1, **FROZEN)), Stage(settings(1))]
    training = Training(splits, stages)
    assert training.run().steps == 3 * STEPS
    assert training.weights[4] == training.weights[8] != training.weights[9]


def test_a_policy_that_selects_is_trained_while_the_student_is_frozen(splits: Splits) -> None:
    policy = RlSelect(warmup=0.0, pretrain=0.0)
    training = Training(splits, rl_kd(policy))
    training.run()
    chosen = training.trained.trace.report["P(a)"]
    assert chosen[:4] == [None] * 4
    assert chosen[4] == pytest.approx(0.7)
    assert len(set(chosen[5:])) == len(chosen[5:])  # it moves in the second stage and goes on from there in the third


def test_the_best_epoch_is_one_of_the_last_stage(splits: Splits) -> None:
    """Even where an earlier one is better: a learning rate that wrecks the student comes last."""
    stages = [Stage(settings(6)), Stage(settings(2).model_copy(update={"lr": 30.0}))]
    training = Training(splits, stages, dropout=0.0)
    trained = training.run()
    best = {epoch: found["mean_recall"] for epoch, found in training.epochs.items()}
    assert max(best[epoch] for epoch in range(1, 7)) > max(best[7], best[8])
    assert trained.best_epoch in (7, 8)
    assert trained.validation["mean_recall"] == max(best[7], best[8])


def test_gradients_of_what_the_next_stage_freezes_do_not_clip(splits: Splits) -> None:
    stages = [Stage(settings(1)), Stage(settings(1, lr_scale={"text_tower.*": 0.0}, clip_norm=1e-3))]
    training = Training(splits, stages, dropout=0.0)
    training.run()
    assert all(parameter.grad is None for parameter in towers_of(training.student).text_tower.parameters())


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ({"lr_scale": {"*": 0.0}}, r"train\.stages\[1\]\.lr_scale: found .* freezes the whole student"),
        ({"lr_scale": {"vision.*": 0.0}}, r"train\.stages\[1\]\.lr_scale: found 'vision\.\*', which matches no parameter"),
    ],
)
def test_what_is_wrong_names_the_stage(splits: Splits, last: dict[str, Any], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        Training(splits, [Stage(settings(1)), Stage(settings(1, **last))]).run()
