"""One step against the plainest way to compute it: everything in one graph, one backward through the student."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

import pytest
import torch
from open_clip.loss import SigLipLoss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from kdbench import Batch, Objective, PluginError, Signal, Strategy
from kdbench.tasks.retrieval import Retrieval
from kdbench.training import signal as signals
from kdbench.training import step as steps
from kdbench.training.step import StepResult, Teaching, backward, checked
from kdbench.training.team import Team
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Count, TwoTowers, batch_of, module_of, pairs_with, pixels_to_floats, team_teacher, toy

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


class GivenAfterReading(Given):
    """The same, after a look at gradients, which the step then has already."""

    def weigh(self, signal: Signal) -> Tensor:
        assert signal.gradients.abs().sum() > 0
        return self.weights


class ParameterReader:
    """Weighs by gradients at the student's parameters."""

    def weigh(self, signal: Signal) -> Tensor:
        gramian = signal.parameter_gramian
        return torch.softmax(gramian.diagonal() / gramian.trace(), dim=0)


class SampleReader:
    """Weighs each sample, after a look at gradients."""

    def weigh(self, signal: Signal) -> Tensor:
        return torch.softmax(signal.losses + signal.gramian.diagonal()[:, None], dim=0)


class Fused(TwoTowers):
    """Has a loss of its own, of what both towers saw, of a view without gradient, and of a parameter nothing else reads."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.gate = nn.Parameter(torch.tensor(0.3))
        self.seen: list[Tensor] = []

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        hidden = self.image_tower(pixels_to_floats(images).to(self.gate.dtype))
        text = self.encode_text(texts)
        return normalize(hidden, dim=1), text, hidden, texts

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        self.seen = list(views)
        image, text, hidden, tokens = views
        return (
            self.gate * (hidden.tanh() * text).sum()
            + (batch.concepts * (image[:, 0] ** 2 + tokens.sum(dim=1) * hidden[:, 1])).sum()
        )


class Case:
    """A student in float64, a batch, three teachers of different widths with their heads."""

    def __init__(self, build: Callable[[int], TwoTowers] = TwoTowers) -> None:
        torch.manual_seed(0)
        self.module = build(WIDTH).double()
        self.passed: list[str] = []  # a tower's name for each backward through it
        for name in ("image_tower", "text_tower"):
            getattr(self.module, name).register_forward_hook(self.watch(name))
        self.images = torch.randint(0, 256, (BATCH, 6, 6, 3), dtype=torch.uint8)
        self.texts = torch.randint(0, 3, (BATCH, 6))
        self.batch = batch_of(CONCEPTS)
        self.team = Team(
            [team_teacher(n, width=4 + p, seed=p, scale=3.0 + p) for p, n in enumerate(NAMES)], TERMS, WIDTH, 0, "cpu"
        )
        self.teachers = self.team.outputs(self.batch)

    def watch(self, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def forward(_: nn.Module, __: Any, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(lambda _: self.passed.append(name))  # type: ignore[no-untyped-call]

        return forward

    def views(self) -> tuple[Tensor, ...]:
        if isinstance(self.module, Fused):
            return self.module.encode_views(self.images, self.texts)
        return self.module.encode_image(self.images), self.module.encode_text(self.texts)

    def step(self, team: Team | None, strategy: Strategy | None, distill: float = 0.7, compare: bool = False) -> StepResult:
        return self.backward(self.views(), team, strategy, distill, compare)

    def backward(
        self,
        views: Sequence[Tensor],
        team: Team | None,
        strategy: Strategy | None,
        distill: float = 0.7,
        compare: bool = False,
    ) -> StepResult:
        return backward(
            Retrieval(),
            views,
            pairs_with(self.module.logit_scale.exp()),
            self.batch,
            Teaching(team, self.teachers, strategy, distill, torch.Generator()) if team else None,
            [parameter for parameter in self.module.parameters() if parameter.requires_grad],
            self.module.auxiliary_loss if isinstance(self.module, Fused) else None,
            compare,
        )

    def gradients(self) -> dict[str, Tensor]:
        parameters = {
            **{f"student.{name}": p for name, p in self.module.named_parameters()},
            **{f"heads.{name}": p for name, p in self.team.heads.named_parameters()},
        }
        return {name: p.grad.double().clone() for name, p in parameters.items() if p.grad is not None}


class Oracle:
    """L_task + λ Σ_t w_t ℓ_t + L_auxiliary in float64 with constant weights [T] or [T, B], written out.

    One graph from the parameters to the loss, and its gradients by one backward.
    """

    def __init__(self, case: Case, weights: Tensor | None, distill: float) -> None:
        module, heads = deepcopy(case.module), deepcopy(case.team.heads).double()
        module.zero_grad()
        heads.zero_grad()
        image, text, scale = module.encode_image(case.images), module.encode_text(case.texts), module.logit_scale.exp()
        if weights is not None:
            weights = weights.double()
            weights = weights[:, None].expand(-1, BATCH) if weights.dim() == 1 else weights
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
        self.task = float(self.loss.detach()) if weights is None else math.nan
        if isinstance(module, Fused):
            self.loss = self.loss + module.auxiliary_loss(module.encode_views(case.images, case.texts), case.batch)
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
        # Losses are float32: sums round relative to their largest terms, in an order that differs between processors, so
        # a small entry among large ones is known no better than they are.
        atol = ATOL * max(1.0, float(expected.abs().max()))
        assert torch.allclose(found[name], expected, rtol=RTOL, atol=atol), f"{name}: {found[name]} is not {expected}"


@pytest.mark.parametrize("shape", [(TEACHERS,), (TEACHERS, BATCH)])
@pytest.mark.parametrize("distill", [0.7, 3.0])
def test_gradients_equal_the_oracle(shape: tuple[int, ...], distill: float) -> None:
    case, weights = Case(), drawn(*shape)
    result = case.step(case.team, Given(weights), distill)
    oracle = Oracle(case, weights, distill)
    assert len(case.gradients()) == 5 + 2 * TEACHERS
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)
    assert result.weights is not None
    torch.testing.assert_close(result.weights.double(), weights)


@pytest.mark.parametrize("strategy", [Ammkd(), Ammkd(space="parameters"), Reader(), ParameterReader(), SampleReader()])
def test_weights_read_from_gradients_are_constants(strategy: Strategy) -> None:
    """The oracle is told the weights that were found; nothing may flow through how they were found."""
    case = Case()
    result = case.step(case.team, strategy)
    assert result.weights is not None
    assert float(result.weights.std()) > 0.01
    oracle = Oracle(case, result.weights, 0.7)
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)


@pytest.fixture
def reused(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts the steps that use a strategy's gradients again."""
    counted = Count(steps._add_teachers)
    monkeypatch.setattr(steps, "_add_teachers", counted)
    return counted


@pytest.mark.parametrize("shape", [(TEACHERS,), (TEACHERS, BATCH)])
@pytest.mark.parametrize("distill", [0.0, 0.7, 3.0])
def test_gradients_once_read_are_used_again_and_equal_the_oracle(shape: tuple[int, ...], distill: float, reused: Count) -> None:
    """Weights by teacher: the step is linear in those gradients. Weights by sample: it is not, and runs its own backward."""
    case, plain, weights = Case(), Case(), drawn(*shape)
    result = case.step(case.team, GivenAfterReading(weights), distill)
    assert reused.calls == (len(shape) == 1)
    oracle = Oracle(case, weights, distill)
    assert len(case.gradients()) == 5 + 2 * TEACHERS
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)
    other = plain.step(plain.team, Given(weights), distill)
    assert reused.calls == (len(shape) == 1)
    for name, expected in plain.gradients().items():
        torch.testing.assert_close(case.gradients()[name], expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(result.loss, other.loss)
    assert result.task.equal(other.task)


@pytest.mark.parametrize(
    ("build", "shape", "seconds"),
    [(Given, (TEACHERS,), 1), (GivenAfterReading, (TEACHERS,), 2), (GivenAfterReading, (TEACHERS, BATCH), 3)],
)
def test_a_strategy_pays_for_gradients_that_the_step_does_not_use_again(
    build: Callable[[Tensor], Strategy], shape: tuple[int, ...], seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that moves on by a second whenever it is looked at."""
    clock = count()
    for module in (steps, signals):
        monkeypatch.setattr(module, "moment", lambda _: float(next(clock)))
    case = Case()
    assert case.step(case.team, build(drawn(*shape))).strategy_seconds == seconds
    assert case.step(None, None).strategy_seconds == 0


@pytest.mark.parametrize("shape", [(TEACHERS,), (TEACHERS, BATCH)])
def test_gradients_gather_on_what_is_there_when_used_again(shape: tuple[int, ...]) -> None:
    case, strategy = Case(), GivenAfterReading(drawn(*shape))
    case.step(case.team, strategy)
    once = case.gradients()
    case.step(case.team, strategy)
    for name, expected in once.items():
        torch.testing.assert_close(case.gradients()[name], 2 * expected)


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
    assert_equal_gradients(case, Oracle(case, result.weights, 0.7))


READERS: list[Strategy] = [
    Equal(),
    Given(drawn(TEACHERS, BATCH)),
    Ammkd(),
    Reader(),
    SampleReader(),
    GivenAfterReading(drawn(TEACHERS, BATCH)),
]


@pytest.mark.parametrize("compare", [False, True])
@pytest.mark.parametrize("build", [TwoTowers, Fused])
@pytest.mark.parametrize("strategy", [None, *READERS])
def test_one_backward_goes_through_the_student(strategy: Strategy | None, build: type[TwoTowers], compare: bool) -> None:
    case = Case(build)
    case.step(case.team if strategy else None, strategy, compare=compare)
    assert sorted(case.passed) == ["image_tower", "text_tower"]


@pytest.mark.parametrize("build", [TwoTowers, Fused])
@pytest.mark.parametrize("strategy", [ParameterReader(), Ammkd(space="parameters")])
def test_gradients_at_parameters_take_one_more_for_each_teacher(strategy: Strategy, build: type[TwoTowers]) -> None:
    case = Case(build)
    result = case.step(case.team, strategy)
    assert sorted(case.passed) == ["image_tower"] * (TEACHERS + 1) + ["text_tower"] * (TEACHERS + 1)
    assert_equal_gradients(case, Oracle(case, result.weights, 0.7))


@pytest.mark.parametrize(
    ("strategy", "times"), [(Equal(), 1), (Given(drawn(TEACHERS, BATCH)), 1), (Ammkd(), 1), (Reader(), 1), (SampleReader(), 2)]
)
def test_a_head_is_walked_through_once_where_gradients_are_used_again(strategy: Strategy, times: int) -> None:
    """And twice where each sample has its weight: once for the gradient that was read, once for the step."""
    case = Case()
    for place, heads in enumerate(case.team.heads):
        for layer in heads.modules():
            if isinstance(layer, nn.Linear):
                layer.register_forward_hook(case.watch(str(place)))
    case.step(case.team, strategy)
    counts = [case.passed.count(str(place)) for place in range(TEACHERS)]
    assert counts == [2 * times] * TEACHERS  # one layer for each tower


@pytest.mark.parametrize("build", [TwoTowers, Fused])
@pytest.mark.parametrize("strategy", [*READERS, ParameterReader()])
def test_comparing_the_teachers_changes_no_bit(strategy: Strategy, build: type[TwoTowers], reused: Count) -> None:
    found = []
    calls = []
    for compare in (False, True):
        case = Case(build)
        result = case.step(case.team, strategy, compare=compare)
        assert result.weights is not None
        found.append({**case.gradients(), "task": result.task, "loss": result.loss, "weights": result.weights})
        calls.append(reused.calls)
    assert found[0].keys() == found[1].keys()
    for name, expected in found[0].items():
        assert found[1][name].equal(expected), name
    assert calls[1] == 2 * calls[0]  # which way a step takes is the strategy's doing alone


def test_compared_are_the_gradients_at_the_embeddings() -> None:
    seen: list[Tensor] = []

    class Look(Equal):
        def weigh(self, signal: Signal) -> Tensor:
            seen.append(signal.gramian)
            return super().weigh(signal)

    case = Case()
    assert case.step(case.team, Equal()).gramian is None
    case.step(case.team, Look())
    gramian = case.step(case.team, Equal(), compare=True).gramian
    assert gramian is not None
    assert gramian.equal(seen[0])
    assert gramian.shape == (TEACHERS, TEACHERS)
    assert not gramian.requires_grad


def test_there_is_nothing_to_compare_with_less_than_two_teachers(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Count(torch.autograd.grad)
    monkeypatch.setattr(torch.autograd, "grad", counted)
    case = Case()
    assert case.step(None, None, compare=True).gramian is None
    case.team = Team([team_teacher("a")], TERMS, WIDTH, 0, "cpu")
    case.teachers = case.team.outputs(case.batch)
    assert case.step(case.team, None, compare=True).gramian is None
    assert counted.calls == 0


# A student's loss of its own.


@pytest.mark.parametrize("strategy", [None, *READERS, ParameterReader()])
def test_an_auxiliary_loss_is_added_whatever_the_strategy(strategy: Strategy | None) -> None:
    case = Case(Fused)
    result = case.step(case.team if strategy else None, strategy)
    oracle = Oracle(case, result.weights, 0.7)
    assert "student.gate" in case.gradients()
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)
    assert float(result.task) == pytest.approx(Oracle(case, None, 0.0).task, rel=1e-5)
    bare = Case()
    bare.step(bare.team if strategy else None, strategy)
    name = "student.image_tower.weight"
    assert not torch.allclose(case.gradients()[name], bare.gradients()[name], rtol=0.1)


def test_an_auxiliary_loss_is_built_on_copies() -> None:
    case = Case(Fused)
    assert isinstance(case.module, Fused)
    views = case.views()
    case.backward(views, case.team, Equal())
    assert len(case.module.seen) == len(views) == 4
    for view, copy in zip(views, case.module.seen, strict=True):
        assert copy.is_leaf
        assert copy.requires_grad
        assert copy.dtype == torch.float32
        torch.testing.assert_close(copy.detach(), view.detach().float())


@pytest.mark.parametrize("frozen", ["image_tower", "text_tower"])
def test_an_auxiliary_loss_beside_a_frozen_tower(frozen: str) -> None:
    case, whole = Case(Fused), Case(Fused)
    getattr(case.module, frozen).requires_grad_(False)
    case.step(case.team, Ammkd(C=1 / TEACHERS))
    whole.step(whole.team, Equal())
    expected = {name: value for name, value in whole.gradients().items() if frozen not in name}
    assert case.gradients().keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(case.gradients()[name], value)


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
        one.team = Team([team_teacher("a")], TERMS, WIDTH, 0, "cpu")
        one.teachers = one.team.outputs(one.batch)
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


class Raw(Given):
    """Says that its weights are none of a mean."""

    raw = True


class RawAfterReading(GivenAfterReading):
    raw = True


@pytest.mark.parametrize("strategy", [Raw, RawAfterReading])
@pytest.mark.parametrize(
    "weights",
    [torch.tensor([-1.0, 2.5, 0.7]), torch.zeros(TEACHERS), 5 * drawn(TEACHERS, BATCH) - 2, torch.full((TEACHERS,), 3.3)],
)
def test_raw_weights_may_be_any(strategy: type[Raw], weights: Tensor) -> None:
    case = Case()
    result = case.step(case.team, strategy(weights))
    assert result.weights is not None
    torch.testing.assert_close(result.weights, weights.float())
    oracle = Oracle(case, weights, 0.7)
    assert_equal_gradients(case, oracle)
    assert float(result.loss) == pytest.approx(oracle.loss.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([0.5, 0.5], "found shape"), ([math.nan, 1.0, 0.0], "expected finite"), ([math.inf, 1.0, -1.0], "expected finite")],
)
def test_raw_weights_must_be_finite_and_as_many_as_teachers(weights: list[float], message: str) -> None:
    case = Case()
    with pytest.raises(PluginError, match=rf"Raw.weigh: .*{message}"):
        case.step(case.team, Raw(torch.tensor(weights)))
    assert case.gradients() == {}


def test_weights_of_a_run_that_diverged_are_not_judged() -> None:
    losses = torch.full((2, 3), math.nan)
    assert checked(torch.full((2,), math.nan), losses, Equal()).isnan().all()


@pytest.mark.parametrize("strategy", [Equal(), Reader(), ParameterReader()])
def test_a_student_in_half_precision_gets_gradients_of_its_kind(strategy: Strategy) -> None:
    module = module_of(toy(width=WIDTH)).bfloat16()
    student: Any = module
    case = Case()
    image, text = student.encode_image(case.images), student.encode_text(case.texts)
    assert image.dtype == torch.bfloat16
    case.module = student
    result = case.backward((image, text), case.team, strategy)
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


@pytest.mark.parametrize("strategy", [None, Equal(), Ammkd()])
def test_the_sigmoid_loss_and_its_bias_learn_beside_teachers(strategy: Strategy | None) -> None:
    """The teachers' losses depend on no bias: its gradient is that of open_clip's loss, also where gradients are used again."""
    case, concepts = Case(), torch.arange(BATCH)
    bias = nn.Parameter(torch.tensor(-2.0, dtype=torch.float64))
    teaching = Teaching(case.team, case.teachers, strategy, 0.7, torch.Generator()) if strategy else None
    wrap = pairs_with(case.module.logit_scale.exp(), bias)
    result = backward(Retrieval(), case.views(), wrap, batch_of(concepts), teaching, loss_name="siglip")
    found, gradients = bias.grad, case.gradients()
    bias.grad = None
    case.module.zero_grad()
    image, text = case.views()
    expected = SigLipLoss()(image, text, case.module.logit_scale.exp(), bias)
    expected.backward()
    assert float(result.task) == pytest.approx(float(expected.detach()), rel=RTOL)
    torch.testing.assert_close(found, bias.grad, rtol=RTOL, atol=ATOL)
    if strategy is None:
        for name, theirs in case.gradients().items():
            torch.testing.assert_close(gradients[name], theirs, rtol=RTOL, atol=ATOL)
