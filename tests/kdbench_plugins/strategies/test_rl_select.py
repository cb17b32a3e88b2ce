"""`rl_select` from step to step, on signals whose teachers are known to be good or bad."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdbench import Batch, KdbenchError, Pairs
from kdbench.plugins.parameters import check_deeper, construct, params_model
from kdbench.runs.execute import execute
from kdbench.storage import checkpoint
from kdbench.storage.cache import Entry
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.testing import check_strategy
from kdbench.training.signal import Graph, StepSignal
from kdbench.training.step import checked
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.rl_policy import selection_probs
from kdbench_plugins.strategies.rl_select import RlSelect, kdbench_strategies
from tests.support.toys import plugged, random_pairs, run_context, run_spec

(OFFER,) = kdbench_strategies()
BATCH, WIDTH, STEPS = 64, 24, 250


def made(student: Pairs, teachers: list[Pairs], progress: float, seed: int, scale: float = 1.0) -> StepSignal:
    """A signal with `relational_kl` times `scale`; teachers are called t0, t1 …"""
    pairs = torch.arange(len(student.image))
    batch = Batch(pairs, pairs, pairs, progress)
    losses = [scale * RelationalKL().losses(student, teacher, None, batch) for teacher in teachers]
    graph = Graph(losses, student, [[] for _ in teachers])
    names = [f"t{place}" for place in range(len(teachers))]
    return StepSignal(
        Retrieval(), graph, teachers, names, batch, pair_losses(student, batch.same), torch.Generator().manual_seed(seed)
    )


def small(step: int, progress: float, teachers: int = 3, batch: int = 4, scale: float = 1.0) -> StepSignal:
    """A signal of a few random samples in float64."""
    given = [random_pairs(batch, 3, scale=8.0, seed=100 * step + place + 1) for place in range(teachers)]
    return made(random_pairs(batch, 3, seed=100 * step, learn=True), given, progress, step, scale)


def acting(**parameters: Any) -> RlSelect:
    return RlSelect(**{"warmup": 0.0, "pretrain": 0.0} | parameters)


# Stages


def test_in_warmup_all_are_heard_alike_and_nothing_is_looked_at() -> None:
    strategy = RlSelect(warmup=0.3, pretrain=0.2)
    for progress in (0.0, 0.29):
        signal = small(0, progress)
        assert strategy.weigh(signal).equal(torch.full((3, 4), 1 / 3, dtype=torch.float64))
        assert not {"embeddings", "teacher_probs", "truth_losses", "task_losses", "gradients"} & set(vars(signal))
        state = signal.generator.get_state()
        assert state.equal(torch.Generator().manual_seed(0).get_state())
    assert strategy.report() == {}


def test_in_pretraining_all_are_heard_alike_while_the_policy_learns_on_paper() -> None:
    strategy = RlSelect(warmup=0.3, pretrain=0.2, lr=0.5)
    twin = acting(lr=0.5)
    for step in range(4):
        assert strategy.weigh(small(step, 0.3 + 0.04 * step)).equal(torch.full((3, 4), 1 / 3, dtype=torch.float64))
        twin.weigh(small(step, 0.9))
        assert strategy.report() == twin.report()
    assert len(set(strategy.report().values())) == 3
    assert strategy.weigh(small(4, 0.5)).equal(twin.weigh(small(4, 0.9)))  # now it acts


def test_the_policy_begins_with_the_same_probability_for_all() -> None:
    strategy = acting(initial=0.62)
    strategy.weigh(small(0, 0.5))
    assert list(strategy.report().values()) == pytest.approx([0.62] * 3)
    assert list(strategy.report()) == ["P(t0)", "P(t1)", "P(t2)"]


# One step after another, in plain loops


class Loops:
    """`rl_select` with reward r2, in lists of floats."""

    def __init__(self, teachers: int, width: int, lr: float, initial: float, momentum: float) -> None:
        self.A = [[0.0] * width for _ in range(teachers)]
        self.b = [log(initial / (1 - initial))] * teachers
        self.lr, self.momentum = lr, momentum
        self.mean: float | None = None
        self.square = 0.0
        self.held: tuple[Any, ...] | None = None

    def probs(self, features: Any) -> Any:
        return [
            [1 / (1 + exp(-sum(x * y for x, y in zip(row, sample, strict=True)) - bias)) for sample in of_teacher]
            for row, bias, of_teacher in zip(self.A, self.b, features, strict=True)
        ]

    def learn(self, task_loss: float) -> None:
        assert self.held is not None
        features, actions, probs, kd_losses = self.held
        samples = len(kd_losses)
        rewards = [-task_loss - loss for loss in kd_losses]
        if self.mean is None:
            self.mean = sum(rewards) / samples
            self.square = sum((r - self.mean) ** 2 for r in rewards) / samples
            return
        away = [r - self.mean for r in rewards]
        self.mean = self.momentum * self.mean + (1 - self.momentum) * sum(rewards) / samples
        self.square = self.momentum * self.square + (1 - self.momentum) * sum(x * x for x in away) / samples
        for t, of_teacher in enumerate(features):
            for i, sample in enumerate(of_teacher):
                push = self.lr * away[i] / sqrt(self.square) * (actions[t][i] - probs[t][i]) / samples
                self.b[t] += push
                self.A[t] = [x + push * y for x, y in zip(self.A[t], sample, strict=True)]

    def weigh(self, signal: StepSignal) -> list[list[float]]:
        teachers, samples = signal.losses.shape
        features: Any = []
        for t in range(teachers):
            features.append([])
            for i in range(samples):
                row = signal.teacher_probs[t, i].tolist()
                own, loss = row.pop(i), float(signal.truth_losses[t, i])
                student = [*signal.embeddings[0, i].tolist(), *signal.embeddings[1, i].tolist()]
                features[t].append([*student, own, *sorted(row, reverse=True), loss / (loss + log(samples))])
        if self.held is not None:
            self.learn(sum(signal.task_losses.tolist()) / samples)
        probs = self.probs(features)
        draws = torch.rand(teachers, samples, generator=signal.generator).tolist()
        actions = [[float(draws[t][i] < probs[t][i]) for i in range(samples)] for t in range(teachers)]
        weights = [[0.0] * samples for _ in range(teachers)]
        for i in range(samples):
            chosen = [t for t in range(teachers) if actions[t][i]] or list(range(teachers))
            for t in chosen:
                weights[t][i] = 1 / len(chosen)
        kd_losses = [sum(weights[t][i] * float(signal.losses[t, i]) for t in range(teachers)) for i in range(samples)]
        self.held = features, actions, probs, kd_losses
        return weights


def test_steps_in_plain_loops() -> None:
    strategy = acting(lr=0.8, initial=0.4, momentum=0.7)
    loops = Loops(3, 2 * 3 + 4 + 1, 0.8, 0.4, 0.7)
    empty = 0
    for step in range(30):
        found = strategy.weigh(small(step, 0.5))
        assert found.tolist() == loops.weigh(small(step, 0.5))
        assert loops.held is not None
        means = [sum(row) / 4 for row in loops.held[2]]
        assert list(strategy.report().values()) == pytest.approx(means, abs=1e-9)
        empty += sum(not any(column) for column in zip(*loops.held[1], strict=True))
    assert empty >= 5  # where nobody was selected, all were heard
    assert max(means) - min(means) > 0.1


def test_a_selection_is_judged_by_the_task_loss_of_the_next_batch() -> None:
    """With r1, whose reward is nothing but the task loss."""
    reports = []
    for later in (0, 1):
        strategy = acting(reward="r1", standardize=False)
        strategy.weigh(small(0, 0.5))
        strategy.weigh(small(1, 0.5))  # sets the baseline
        before = strategy.report()
        signal = small(2, 0.5)
        signal.__dict__["task_losses"] = signal.task_losses + 3.0 * later
        strategy.weigh(signal)
        reports.append([strategy.report()[name] for name in before])
    assert max(abs(x - y) for x, y in zip(*reports, strict=True)) > 0.01


def test_r3_takes_the_validation_recall_of_both_directions() -> None:
    metrics = {"image_retrieval_recall@1": 0.2, "text_retrieval_recall@1": 0.6, "rsum": 80.0}
    strategy = acting(reward="r3", gamma=0.25, standardize=False)
    signals = [small(step, 0.5) for step in range(4)]
    r2 = []
    for step, signal in enumerate(signals):
        if step:
            r2.append(-float(signal.task_losses.mean()) - float(strategy.pending["kd_losses"].mean()))
        if step == 2:
            strategy.end_epoch(metrics)
            strategy.end_epoch(None)  # not measured: the last that was still holds
        strategy.weigh(signal)
    assert strategy.baseline.mean is not None
    one, two, three = (0.25 * r2[0], 0.25 * r2[1] + 0.75 * 0.4, 0.25 * r2[2] + 0.75 * 0.4)
    assert strategy.baseline.mean == pytest.approx(0.9 * (0.9 * one + 0.1 * two) + 0.1 * three, rel=1e-9)


def test_r3_without_recall_at_1_says_what_to_do() -> None:
    for reward in ("r1", "r2"):
        acting(reward=reward).end_epoch({"image_retrieval_recall@5": 0.5})
    with pytest.raises(KdbenchError, match="image_retrieval_recall@1 and text_retrieval_recall@1; add 1 to evaluate"):
        acting(reward="r3").end_epoch({"image_retrieval_recall@5": 0.5})


# All on


def test_all_on_is_equal_weights_to_the_last_bit_for_good() -> None:
    for teachers in (1, 2, 3, 5, 7):
        strategy = acting(initial=1.0, lr=10.0)
        for step in range(5):
            signal = small(step, 0.5, teachers)
            found = strategy.weigh(signal)
            assert found.equal(Equal().weigh(signal)[:, None].expand(-1, 4))
        assert set(strategy.report().values()) == {1.0}


def test_a_run_with_all_on_is_a_run_with_equal(tmp_path: Path) -> None:
    always = plugged("rl_select", warmup=0.0, pretrain=0.0, initial=1.0)
    where = run_context(tmp_path, strategies=[OFFER])
    first, second, other = (
        execute(run_spec(strategy=strategy), where) for strategy in (plugged("equal"), always, plugged("rl_select"))
    )
    assert (first.status, second.status, other.status) == ("ok", "ok", "ok")
    assert first.metrics == second.metrics
    assert first.validation == second.validation
    kept = [entry for entry in where.cache.entries() if isinstance(entry, Entry) and entry.kind == "students"]
    weights = [file.read_bytes() for entry in kept for file in entry.folder.rglob("*.safetensors")]
    assert len(weights) == 3
    assert len(set(weights)) == 2


# What it learns


@cache
def worlds(kind: str) -> list[tuple[list[Tensor], Tensor]]:
    """Embeddings of student and two teachers for each step, and which samples the second teacher is the expert of.

    The student comes nearer to the concepts as it goes. Of the `shuffled` pair the second teacher has its captions paired
    with the wrong images; of the `halves` each has random captions for the samples of the other.
    """
    found = []
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(1000 + step)

        def unit(generator: torch.Generator = generator) -> Tensor:
            return normalize(torch.randn(BATCH, WIDTH, generator=generator), dim=1)

        concepts = unit()

        def seen(noise: float, concepts: Tensor = concepts, unit: Callable[[], Tensor] = unit) -> list[Tensor]:
            return [normalize(concepts + noise * unit(), dim=1) for _ in range(2)]

        student, first, second = seen(3.0 - 2.2 * step / STEPS), seen(0.5), seen(0.5)
        second_is_expert = torch.rand(BATCH, generator=generator) < 0.5
        if kind == "shuffled":
            second[1] = second[1][torch.randperm(BATCH, generator=generator)]
        else:
            first[1] = torch.where(second_is_expert[:, None], unit(), first[1])
            second[1] = torch.where(second_is_expert[:, None], second[1], unit())
        found.append(([*student, *first, *second], second_is_expert))
    return found


def learned(kind: str, scale: float, **parameters: Any) -> tuple[Tensor, Tensor]:
    """P(select) [2, B] in the last batch after a run on the worlds, and whose samples these are."""
    strategy = RlSelect(**parameters)
    for step, (parts, _) in enumerate(worlds(kind)):
        student, first, second = (Pairs(parts[2 * i], parts[2 * i + 1], s) for i, s in enumerate((14.0, 30.0, 30.0)))
        signal = made(student, [first, second], step / STEPS, step, scale)
        weights = strategy.weigh(signal)
        if step % 50 == 0:
            checked(weights, signal.losses, strategy)
    assert strategy.policy is not None
    probs = selection_probs(*strategy.policy, strategy.pending["features"])
    assert list(strategy.report().values()) == pytest.approx(probs.mean(dim=1).tolist(), abs=1e-6)
    return probs, worlds(kind)[-1][1]


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_a_label_shuffled_teacher_is_found_out(scale: float) -> None:
    good, shuffled = learned("shuffled", scale)[0].mean(dim=1).tolist()
    assert good - shuffled > 0.3
    assert good > 0.7


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_samples_find_their_expert(scale: float) -> None:
    probs, second_is_expert = learned("halves", scale)
    expert = torch.where(second_is_expert, probs[1], probs[0])
    other = torch.where(second_is_expert, probs[0], probs[1])
    assert float(expert.mean() - other.mean()) > 0.3
    for half in (second_is_expert, ~second_is_expert):
        assert float((expert - other)[half].mean()) > 0.3


# State


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 8])
def test_a_resumed_run_goes_on_to_the_last_bit(stop: int, tmp_path: Path) -> None:
    def weighed(strategy: RlSelect, steps: range) -> list[Tensor]:
        found = []
        for step in steps:
            found.append(strategy.weigh(small(step, step / 10)))
            if step == 6:
                strategy.end_epoch({"image_retrieval_recall@1": 0.3, "text_retrieval_recall@1": 0.4})
        return found

    whole, first, second = (RlSelect(reward="r3", warmup=0.2, pretrain=0.3) for _ in range(3))
    expected = weighed(whole, range(10))
    weighed(first, range(stop))
    report = first.report()
    checkpoint.save(tmp_path / "state", first.state_dict())
    weighed(first, range(stop, 10))
    state = checkpoint.load(tmp_path / "state")
    assert state is not None
    second.load_state_dict(state)
    assert second.report() == report
    torch.manual_seed(stop)
    assert all(one.equal(other) for one, other in zip(weighed(second, range(stop, 10)), expected[stop:], strict=True))
    assert second.report() == whole.report()
    for name, strategy in {"whole": whole, "second": second}.items():
        checkpoint.save(tmp_path / name, strategy.state_dict())
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_pending_batch_counts() -> None:
    strategy, forgetful = acting(), acting()
    for step in range(4):
        strategy.weigh(small(step, 0.5))
    forgetful.load_state_dict({**strategy.state_dict(), "pending": {}})
    strategy.weigh(small(4, 0.5))
    forgetful.weigh(small(4, 0.5))
    assert strategy.report() != forgetful.report()


# Corners


def test_the_conformance_kit() -> None:
    check_strategy(RlSelect, OFFER.waives, {"equal": Equal})


@pytest.mark.parametrize("scale", [0.0, 1e8, float("nan")])
def test_losses_of_any_size_give_weights(scale: float) -> None:
    strategy = acting()
    for step in range(6):
        signal = small(step, 0.5, scale=scale)
        weights = strategy.weigh(signal)
        assert weights.isfinite().all()
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(4, dtype=torch.float64))


def test_one_teacher_and_one_sample() -> None:
    strategy = acting(initial=0.3)
    for step in range(6):
        assert strategy.weigh(small(step, 0.5, teachers=1)).tolist() == [[1.0] * 4]
    strategy = acting()
    for step in range(6):
        weights = strategy.weigh(small(step, 0.5, batch=1))
        assert weights.shape == (3, 1)
        assert float(weights.sum()) == pytest.approx(1)


def test_weights_carry_no_gradient_and_no_gradient_is_read() -> None:
    strategy = acting()
    for step in range(3):
        signal = small(step, 0.5)
        assert not strategy.weigh(signal).requires_grad
        assert not {"gradients", "gramian", "leaf_gradients"} & set(vars(signal))


def test_parameters() -> None:
    model = params_model(OFFER)
    assert model().model_dump() == {
        "reward": "r2",
        "lr": 1.0,
        "initial": 0.7,
        "momentum": 0.9,
        "standardize": True,
        "gamma": 0.5,
        "warmup": 0.1,
        "pretrain": 0.1,
    }
    wrong: list[dict[str, Any]] = [{"reward": "r4"}, {"lr": 0.0}, {"initial": 0.0}, {"initial": 1.1}, {"momentum": 1.0}]
    wrong += [{"gamma": -0.1}, {"warmup": 1.0}, {"pretrain": -0.1}, {"beta": 1.0}]
    for parameters in wrong:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            model(**parameters)
    check_deeper(OFFER, {})
    for ask in (check_deeper, construct):
        with pytest.raises(KdbenchError, match=r"warmup 0.6 and pretrain 0.4 leave the policy no step to act in"):
            ask(OFFER, {"warmup": 0.6, "pretrain": 0.4})


def test_offering_imports_no_torch() -> None:
    code = "import sys; import kdbench_plugins.strategies.rl_select as m; m.kdbench_strategies(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
