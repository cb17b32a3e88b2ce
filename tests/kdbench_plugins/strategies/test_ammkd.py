"""`ammkd` on signals with given gradients; the programme itself is tested with `box_qp`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kdbench import Pairs, Skip
from kdbench.plugins.parameters import params_model
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.training.signal import Graph, StepSignal
from kdbench_plugins.strategies.ammkd import Ammkd, capped, kdbench_strategies, weights_from_gramian
from kdbench_plugins.strategies.box_qp import solve
from tests.support.toys import Count, batch_of, signal_of


def drawn(teachers: int, seed: int = 0, size: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = torch.logspace(-1, 1, teachers, dtype=torch.float64)[:, None]
    return size * scales * torch.randn(teachers, 30, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("cap", [0.4, 0.6, 1.0])
@pytest.mark.parametrize("teachers", [3, 5, 8])
def test_weights_are_those_of_the_programme_at_the_gradients_of_the_losses(teachers: int, cap: float) -> None:
    rows = drawn(teachers)
    weights = Ammkd(C=cap).weigh(signal_of(rows))
    assert weights.dtype == torch.float64
    assert not weights.requires_grad
    np.testing.assert_allclose(weights.numpy(), solve((rows @ rows.T).numpy(), cap), atol=1e-9)


@pytest.mark.parametrize("cap", [0.5, 0.6, 0.9, 1.0])
def test_two_teachers_have_a_closed_form(cap: float) -> None:
    for seed in range(20):
        one, two = drawn(2, seed).numpy()
        expected = np.clip((two - one) @ two / ((one - two) @ (one - two)), 1 - cap, cap)
        found = Ammkd(C=cap).weigh(signal_of(torch.from_numpy(np.stack([one, two]))))
        np.testing.assert_allclose(found.numpy(), [expected, 1 - expected], atol=1e-8)


@pytest.mark.parametrize("normalize", ["none", "l2"])
def test_permuted_teachers_have_permuted_weights(normalize: str) -> None:
    rows = drawn(5)
    order = [3, 0, 4, 1, 2]
    strategy = Ammkd(C=0.5, normalize=normalize)  # type: ignore[arg-type]
    torch.testing.assert_close(strategy.weigh(signal_of(rows[order])), strategy.weigh(signal_of(rows))[order])


@pytest.mark.parametrize("normalize", ["none", "l2"])
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e6])
def test_the_size_of_all_gradients_does_not_matter(normalize: str, size: float) -> None:
    strategy = Ammkd(C=0.5, normalize=normalize)  # type: ignore[arg-type]
    torch.testing.assert_close(strategy.weigh(signal_of(drawn(5, size=size))), strategy.weigh(signal_of(drawn(5))))


@pytest.mark.parametrize("normalize", ["none", "l2"])
def test_teachers_that_agree_have_equal_weights(normalize: str) -> None:
    weights = Ammkd(C=0.6, normalize=normalize).weigh(signal_of(drawn(1).expand(4, -1).contiguous()))  # type: ignore[arg-type]
    torch.testing.assert_close(weights, torch.full((4,), 0.25, dtype=torch.float64))


@pytest.mark.parametrize("teachers", [2, 3, 7])
def test_the_smallest_cap_gives_equal_weights_and_reads_no_gradient(teachers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Count(torch.autograd.grad)
    monkeypatch.setattr(torch.autograd, "grad", counted)
    signal = signal_of(drawn(teachers))
    assert Ammkd(C=1 / teachers).weigh(signal).tolist() == [1 / teachers] * teachers
    assert not {"gradients", "gramian"} & set(vars(signal))
    assert counted.calls == 0
    Ammkd(C=1.0).weigh(signal)
    assert counted.calls == teachers


@pytest.mark.parametrize(("teachers", "cap"), [(2, 0.49), (3, 0.3), (3, 1 / 3 - 1e-6)])
def test_a_cap_below_equal_weights_is_skipped(teachers: int, cap: float) -> None:
    with pytest.raises(Skip, match=f"C = {cap} is below 1/{teachers}"):
        Ammkd(C=cap).weigh(signal_of(drawn(teachers)))


def test_gradients_of_a_run_that_diverged_give_equal_weights() -> None:
    rows = drawn(3)
    rows[1, 2] = math.nan
    assert Ammkd(C=0.6).weigh(signal_of(rows)).tolist() == [1 / 3] * 3


def test_losses_in_float32_are_weighed_in_float32() -> None:
    weights = Ammkd(C=0.6).weigh(signal_of(drawn(4, size=1e-6).float()))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, Ammkd(C=0.6).weigh(signal_of(drawn(4))).float())


@pytest.mark.parametrize("difference", [1e-2, 1e-3, 1e-4, 1e-5])
def test_teachers_that_almost_agree_are_weighed_in_float32_too(difference: float) -> None:
    """Training computes in float32, where a Gramian rounded may be singular or worse."""
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        rows = (1e-6 * (1 + difference * torch.randn(3, 60, generator=generator))).float()
        weights = Ammkd(C=0.6).weigh(signal_of(rows))
        assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
        assert weights.min() >= -1e-6
        assert weights.max() <= 0.6 + 1e-6


def test_the_weighted_sum_is_short_and_works_against_no_teacher() -> None:
    for seed in range(10):
        rows = drawn(4, seed) - drawn(4, seed).mean(dim=0) * 1.2
        weights = Ammkd(C=1.0).weigh(signal_of(rows))
        total = weights @ rows
        assert total.norm() <= (rows.mean(dim=0)).norm()
        assert (rows @ total).min() >= -1e-9 * rows.square().sum()


# space: parameters


def signal_of_parameters(rows: Tensor, jacobian: Tensor) -> StepSignal:
    """Losses with the gradients `rows` [T, n] at embeddings that are `jacobian` [n, p] times the student's parameters."""
    parameters = torch.zeros(jacobian.shape[1], dtype=rows.dtype, requires_grad=True)
    roots = (jacobian @ parameters).view(2, 1, -1).unbind()
    image, text = (root.detach().requires_grad_() for root in roots)
    student = Pairs(image, text, 1.0)
    flat = torch.cat([image.flatten(), text.flatten()])
    batch = batch_of(torch.arange(1))
    return StepSignal(
        Retrieval(),
        Graph([(row @ flat)[None] for row in rows], student, [[] for _ in rows], roots, [parameters]),
        [],
        [f"teacher {place}" for place in range(len(rows))],
        batch,
        pair_losses(student, batch.same),
        torch.Generator(),
    )


@pytest.mark.parametrize("normalize", ["none", "l2"])
@pytest.mark.parametrize("cap", [0.4, 0.6, 1.0])
def test_in_the_space_of_parameters_the_programme_sees_gradients_there(cap: float, normalize: Any) -> None:
    """By the chain rule those at the embeddings, times the Jacobian."""
    rows = torch.randn(4, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    jacobian = torch.randn(30, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * torch.arange(1, 10)
    signal = signal_of_parameters(rows, jacobian)
    there = rows @ jacobian
    weights = Ammkd(C=cap, normalize=normalize, space="parameters").weigh(signal)
    expected = weights_from_gramian((there @ there.T).numpy(), cap, normalize)
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-9)
    elsewhere = Ammkd(C=cap, normalize=normalize).weigh(signal)
    torch.testing.assert_close(elsewhere, Ammkd(C=cap, normalize=normalize).weigh(signal_of(rows)))
    assert not torch.allclose(weights, elsewhere, atol=0.01)


def test_in_the_space_of_embeddings_nothing_is_asked_of_the_student() -> None:
    signal = signal_of_parameters(drawn(3), torch.eye(30, dtype=torch.float64))
    embedded = Ammkd(C=0.6).weigh(signal)
    assert "parameter_gramian" not in vars(signal)
    torch.testing.assert_close(Ammkd(C=0.6, space="parameters").weigh(signal), embedded)
    equal = signal_of_parameters(drawn(3), torch.eye(30, dtype=torch.float64))
    Ammkd(C=1 / 3, space="parameters").weigh(equal)
    assert not {"gradients", "gramian", "parameter_gramian"} & set(vars(equal))


# normalize: l2


def test_l2_on_unit_gradients_changes_nothing() -> None:
    rows = drawn(5)
    rows = rows / rows.norm(dim=1, keepdim=True)
    for cap in (0.3, 0.6, 1.0):
        plain, l2 = (Ammkd(C=cap, normalize=how).weigh(signal_of(rows)) for how in ("none", "l2"))
        torch.testing.assert_close(l2, plain)


def test_l2_makes_the_direction_independent_of_the_length_of_gradients() -> None:
    rows = drawn(4)
    lengths = torch.tensor([[100.0], [3.0], [1.0], [0.01]], dtype=torch.float64)
    strategy = Ammkd(C=1.0, normalize="l2")
    steps = [strategy.weigh(signal_of(given)) @ given for given in (rows, lengths * rows)]
    torch.testing.assert_close(steps[0] / steps[0].norm(), steps[1] / steps[1].norm())
    plain = Ammkd(C=1.0)
    steps = [plain.weigh(signal_of(given)) @ given for given in (rows, lengths * rows)]
    assert not torch.allclose(steps[0] / steps[0].norm(), steps[1] / steps[1].norm(), atol=0.1)


def test_l2_is_the_programme_on_unit_vectors_divided_by_lengths() -> None:
    rows = drawn(4).numpy()
    norms = np.linalg.norm(rows, axis=1)
    unit = rows / norms[:, None]
    expected = solve(unit @ unit.T, 1.0) / norms
    found = Ammkd(C=1.0, normalize="l2").weigh(signal_of(torch.from_numpy(rows)))
    np.testing.assert_allclose(found.numpy(), expected / expected.sum(), atol=1e-9)


@given(st.integers(2, 8), st.integers(0, 100), st.floats(0, 1))
def test_l2_keeps_to_the_box(teachers: int, seed: int, share: float) -> None:
    rng = np.random.default_rng((teachers, seed))
    rows = rng.normal(size=(teachers, 6)) * 10.0 ** rng.uniform(-6, 6, size=(teachers, 1))
    cap = 1 / teachers + share * (1 - 1 / teachers)
    weights = weights_from_gramian(rows @ rows.T, cap, "l2")
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    assert weights.min() >= 0
    assert weights.max() <= cap + 1e-9


def test_l2_with_a_teacher_that_has_no_gradient() -> None:
    rows = drawn(3)
    rows[1] = 0
    weights = Ammkd(C=0.6, normalize="l2").weigh(signal_of(rows))
    assert weights.isfinite().all()
    assert float(weights.sum()) == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda values: sum(values) > 1e-6), st.floats(0, 1))
def test_capped(values: list[float], share: float) -> None:
    weights = np.array(values) / sum(values)
    cap = 1 / len(values) + share * (1 - 1 / len(values))
    found = capped(weights, cap)
    assert found.sum() == pytest.approx(1, abs=1e-9)
    assert found.min() >= 0
    assert found.max() <= cap + 1e-9
    order = np.argsort(weights, kind="stable")
    assert (np.diff(found[order]) >= -1e-9).all()  # no teacher overtakes another
    below = (found < cap - 1e-9) & (weights > 1e-9)
    if below.any():  # those below the cap keep their proportions
        np.testing.assert_allclose(found[below] / found[below].sum(), weights[below] / weights[below].sum(), rtol=1e-6)
    if weights.max() <= cap:
        np.testing.assert_array_equal(found, weights)


@pytest.mark.parametrize(
    "parameters", [{"C": 0.0}, {"C": 1.1}, {"C": -1.0}, {"normalize": "l1"}, {"c": 0.6}, {"space": "logits"}]
)
def test_a_suite_cannot_give_other_parameters(parameters: dict[str, object]) -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"C": 0.6, "normalize": "none", "space": "embedding"}
    with pytest.raises(ValueError, match=next(iter(parameters))):
        model(**parameters)


def test_the_reconstruction_is_called_one() -> None:
    (offer,) = kdbench_strategies()
    assert offer.status == "reconstruction"
    assert "AMMKD" in offer.source
    assert "AE-KD" in offer.source
