"""One step against the plainest way to compute it: everything in one graph, one backward through the student."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from models import TwoTowers, module_of, toy, voice
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kdbench import Objective, PluginError, Signal, Strategy
from kdbench.losses import same_concept
from kdbench.step import StepResult, backward, checked
from kdbench.team import Team
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal

BATCH, WIDTH, TEACHERS = 6, 4, 3
NAMES = "abc"
TERMS: list[tuple[float, Objective]] = [(1.0, RelationalKL(temperature=2.0)), (0.5, Feature())]
CONCEPTS = torch.tensor([0, 1, 2, 0, 3, 4])
# The core computes losses in float32 whatever the student; the oracle does so in float64.
RTOL, ATOL = 1e-4, 1e-6


class Given:
    """Weights decided beforehand, [T] or [T, B]."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def weigh(self, signal: Signal) -> Tensor:  # noqa: ARG002
        return self.weights


class Reader:
    """Reads all there is to read, and weighs by it."""

    def weigh(self, signal: Signal) -> Tensor:
        assert signal.truth_losses.shape == signal.losses.shape
        assert len(signal.teacher_probs) == len(signal.gradients)
        assert signal.embeddings[0].shape[0] == len(signal.student_probs)
        return torch.softmax(signal.gramian.diagonal() + signal.losses.mean(dim=1), dim=0)


class Case:
    """A student in float64, a batch, three teachers of different widths with their heads."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = TwoTowers(WIDTH).double()
        self.images = torch.randint(0, 256, (BATCH, 6, 6, 3), dtype=torch.uint8)
        self.texts = torch.randint(0, 3, (BATCH, 6))
        self.team = Team([voice(n, width=4 + p, seed=p, scale=3.0 + p) for p, n in enumerate(NAMES)], TERMS, WIDTH, 0, "cpu")
        self.teachers = self.team.pairs(np.arange(BATCH), np.arange(BATCH))

    def embeddings(self) -> tuple[Tensor, Tensor]:
        return self.module.encode_image(self.images), self.module.encode_text(self.texts)

    def step(self, team: Team | None, strategy: Strategy | None, distill: float = 0.7) -> StepResult:
        image, text = self.embeddings()
        return self.backward(image, text, team, strategy, distill)

    def backward(
        self, image: Tensor, text: Tensor, team: Team | None, strategy: Strategy | None, distill: float = 0.7
    ) -> StepResult:
        return backward(
            image,
            text,
            self.module.logit_scale.exp(),
            same_concept(CONCEPTS),
            team,
            self.teachers if team else [],
            strategy,
            distill,
            0.5,
            torch.Generator(),
        )

    def gradients(self) -> dict[str, Tensor]:
        parameters = {
            **{f"student.{name}": p for name, p in self.module.named_parameters()},
            **{f"heads.{name}": p for name, p in self.team.heads.named_parameters()},
        }
        return {name: p.grad.double().clone() for name, p in parameters.items() if p.grad is not None}


class Oracle:
    """L_task + λ Σ_t w_t ℓ_t in float64 with constant weights [T, B], written out, and its gradients by one backward."""

    def __init__(self, case: Case, weights: Tensor | None, distill: float) -> None:
        module, heads = deepcopy(case.module), deepcopy(case.team.heads).double()
        image, text, scale = module.encode_image(case.images), module.encode_text(case.texts), module.logit_scale.exp()
        scores = scale * image @ text.T
        same = (CONCEPTS[:, None] == CONCEPTS).double()
        target = same / same.sum(dim=1, keepdim=True)
        self.loss = (cross_entropy(scores, target) + cross_entropy(scores.T, target)) / 2
        for place in range(TEACHERS if weights is not None else 0):
            assert weights is not None
            v, u = case.teachers[place].image.double(), case.teachers[place].text.double()
            aims = float(case.teachers[place].scale) * v @ u.T
            for sample in range(BATCH):
                for own, aim in ((scores, aims), (scores.T, aims.T)):
                    p, q = (aim[sample] / 2).softmax(0), (own[sample] / 2).softmax(0)
                    kl = (p * (p / q).log()).sum()
                    self.loss = self.loss + distill * weights[place, sample] * 4 * kl / 2 / BATCH
            pair: Any = heads[place]
            for head, own, aim in zip(pair[1], (image, text), (v, u), strict=True):
                projected = own @ head.weight.T
                distance = (projected / projected.norm(dim=1, keepdim=True) - aim).square().sum(dim=1)
                self.loss = self.loss + distill * 0.5 * (weights[place] * distance).mean()
        self.loss.backward()  # type: ignore[no-untyped-call]
        parameters = {
            **{f"student.{name}": p for name, p in module.named_parameters()},
            **{f"heads.{name}": p for name, p in heads.named_parameters()},
        }
        self.gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}


def drawn(*shape: int) -> Tensor:
    return torch.softmax(torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64), dim=0)


def assert_equal_gradients(case: Case, oracle: Oracle) -> None:
    found = case.gradients()
    assert found.keys() == oracle.gradients.keys()
    for name, expected in oracle.gradients.items():
        assert torch.allclose(found[name], expected, rtol=RTOL, atol=ATOL), f"{name}: {found[name]} is not {expected}"


@pytest.mark.parametrize("shape", [(TEACHERS,), (TEACHERS, BATCH)])
@pytest.mark.parametrize("distill", [0.7, 3.0])
def test_gradients_equal_the_oracle(shape: tuple[int, ...], distill: float) -> None:
    case, weights = Case(), drawn(*shape)
    result = case.step(case.team, Given(weights), distill)
    oracle = Oracle(case, weights if weights.dim() == 2 else weights[:, None].expand(-1, BATCH), distill)
    assert len(case.gradients()) == 5 + 2 * TEACHERS
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)
    assert result.weights is not None
    torch.testing.assert_close(result.weights.double(), weights if weights.dim() == 1 else weights.mean(dim=1))


@pytest.mark.parametrize("strategy", [Ammkd(), Reader()])
def test_weights_read_from_gradients_are_constants(strategy: Strategy) -> None:
    """The oracle is told the weights that were found; nothing may flow through how they were found."""
    case = Case()
    result = case.step(case.team, strategy)
    assert result.weights is not None
    assert_equal_gradients(case, Oracle(case, result.weights.double()[:, None].expand(-1, BATCH), 0.7))


class Learned:
    """Weights that hang on a parameter and on the losses, as those of a strategy that learns may."""

    def __init__(self) -> None:
        self.parameter = torch.zeros((), requires_grad=True)

    def weigh(self, signal: Signal) -> Tensor:
        return torch.softmax(signal.losses.mean(dim=1) * self.parameter.exp(), dim=0)


def test_nothing_differentiates_through_weights() -> None:
    case, strategy = Case(), Learned()
    result = case.step(case.team, strategy)
    assert strategy.parameter.grad is None
    assert result.weights is not None
    assert_equal_gradients(case, Oracle(case, result.weights.double()[:, None].expand(-1, BATCH), 0.7))


@pytest.mark.parametrize("strategy", [None, Equal(), Ammkd(), Reader()])
def test_one_backward_goes_through_the_student(strategy: Strategy | None) -> None:
    case = Case()
    image, text = case.embeddings()
    passed: list[str] = []
    image.register_hook(lambda _: passed.append("image"))  # type: ignore[no-untyped-call]
    text.register_hook(lambda _: passed.append("text"))  # type: ignore[no-untyped-call]
    case.backward(image, text, case.team if strategy else None, strategy)
    assert sorted(passed) == ["image", "text"]


def test_without_a_team_it_is_the_task_loss_alone() -> None:
    case = Case()
    result = case.step(None, None)
    oracle = Oracle(case, None, 0.0)
    assert_equal_gradients(case, oracle)
    assert float(result.task) == float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)
    assert result.weights is None


def test_a_team_that_counts_nothing_leaves_the_task_loss() -> None:
    case, bare = Case(), Case()
    case.step(case.team, Equal(), distill=0.0)
    bare.step(None, None)
    for name, expected in bare.gradients().items():
        torch.testing.assert_close(case.gradients()[name], expected, rtol=0, atol=0)


def test_one_teacher_needs_no_strategy() -> None:
    case, other = Case(), Case()
    for one in (case, other):
        one.team = Team([voice("a")], TERMS, WIDTH, 0, "cpu")
        one.teachers = one.team.pairs(np.arange(BATCH), np.arange(BATCH))
    result = case.step(case.team, None)
    other.step(other.team, Equal())
    assert result.weights is not None
    assert result.weights.tolist() == [1.0]
    assert case.gradients().keys() == other.gradients().keys()
    for name, expected in other.gradients().items():
        torch.testing.assert_close(case.gradients()[name], expected)


def test_gradients_gather_on_what_is_there() -> None:
    """As `backward` everywhere in torch: added, not set."""
    case = Case()
    case.step(case.team, Equal())
    once = case.gradients()
    case.step(case.team, Equal())
    for name, expected in once.items():
        torch.testing.assert_close(case.gradients()[name], 2 * expected)


def test_results_carry_no_graph() -> None:
    case = Case()
    result = case.step(case.team, Reader())
    for value in (result.task, result.loss, result.weights):
        assert value is not None
        assert not value.requires_grad


@pytest.mark.parametrize("frozen", ["image_tower", "text_tower"])
def test_a_frozen_tower_is_left_alone(frozen: str) -> None:
    """The other one is trained as it would be anyway."""
    case, whole = Case(), Case()
    tower: nn.Module = getattr(case.module, frozen)
    tower.requires_grad_(False)
    case.step(case.team, Equal())
    whole.step(whole.team, Equal())
    expected = {name: value for name, value in whole.gradients().items() if frozen not in name}
    assert case.gradients().keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(case.gradients()[name], value)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.5], r"found shape \[2\], expected \[3\] or \[3, 6\]"),
        ([[0.2], [0.3], [0.5]], r"found shape \[3, 1\]"),
        ([0.5, 0.5, 0.5], r"found \[0.5, 0.5, 0.5\], expected a sum of 1"),
        ([0.2, 0.2, 0.2], "expected a sum of 1"),
        ([1.2, -0.2, 0.0], r"found \[1.2, -0.2, 0.0\], expected finite weights that are not negative"),
        ([math.nan, 0.5, 0.5], "expected finite weights"),
        ([math.inf, 0.5, 0.5], "expected finite weights"),
    ],
)
def test_weights_that_are_no_weights_are_refused(weights: Any, message: str) -> None:
    case = Case()
    with pytest.raises(PluginError, match=rf"Given.weigh: .*{message}"):
        case.step(case.team, Given(torch.tensor(weights)))
    assert case.gradients() == {}


def test_each_column_of_weights_must_sum_to_one() -> None:
    weights = drawn(TEACHERS, BATCH)
    case = Case()
    case.step(case.team, Given(weights))
    weights[:, 4] = torch.tensor([0.5, 0.4, 0.3])
    with pytest.raises(PluginError, match=r"Given.weigh: .*expected a sum of 1") as caught:
        case.step(case.team, Given(weights))
    assert "[0.5, 0.4, 0.3]" in str(caught.value)  # the column that is wrong


def test_weights_of_a_run_that_diverged_are_not_judged() -> None:
    losses = torch.full((2, 3), math.nan)
    assert checked(torch.full((2,), math.nan), losses, Equal()).isnan().all()


def test_a_student_in_half_precision_gets_gradients_of_its_kind() -> None:
    module = module_of(toy(width=WIDTH)).bfloat16()
    student: Any = module
    case = Case()
    image, text = student.encode_image(case.images), student.encode_text(case.texts)
    assert image.dtype == torch.bfloat16
    result = case.backward(image, text, case.team, Equal())
    assert result.loss.dtype == torch.float32
    for name, parameter in module.named_parameters():
        if name != "logit_scale":
            assert parameter.grad is not None
            assert parameter.grad.dtype == torch.bfloat16
            assert parameter.grad.abs().sum() > 0


def test_pairs_of_one_concept_reach_the_strategy_as_positives() -> None:
    seen: list[Tensor] = []

    class Look:
        def weigh(self, signal: Signal) -> Tensor:
            seen.append(signal.truth_losses)
            return torch.full((TEACHERS,), 1 / TEACHERS)

    case = Case()
    case.step(case.team, Look())
    for place, teacher in enumerate(case.teachers):
        scores = float(teacher.scale) * teacher.image @ teacher.text.T
        target = (CONCEPTS[:, None] == CONCEPTS).float()
        target = target / target.sum(dim=1, keepdim=True)
        both = [cross_entropy(s, target, reduction="none") for s in (scores, scores.T)]
        torch.testing.assert_close(seen[0][place], (both[0] + both[1]) / 2)
