"""The box-constrained min-norm programme against its optimality conditions and against independent solvers."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import minimize

from kdbench_plugins.strategies import box_qp
from kdbench_plugins.strategies.box_qp import solve
from tests.support.toys import Count

Floats = NDArray[np.float64]
Kind = Literal["random", "wide", "near-singular", "rank-1", "twins", "opposed", "tiny"]
KINDS: tuple[Kind, ...] = ("random", "wide", "near-singular", "rank-1", "twins", "opposed", "tiny")


def gradients(kind: Kind, teachers: int, seed: int) -> Floats:
    """Gradients [T, n] of a kind that is hard in its own way."""
    rng = np.random.default_rng((seed, teachers))
    plain: Floats = rng.normal(size=(teachers, 40))
    if kind == "wide":  # norms over six orders of magnitude
        return plain * 10.0 ** rng.uniform(-3, 3, size=(teachers, 1))
    line: Floats = rng.normal(size=40)
    if kind == "near-singular":
        return line + 1e-5 * plain
    if kind == "rank-1":
        return plain[:, :1] * line
    if kind == "twins":
        twice: Floats = np.repeat(plain[: (teachers + 1) // 2], 2, axis=0)
        return twice[:teachers]
    if kind == "opposed":
        middle: Floats = plain.mean(axis=0)
        return plain - middle + 1e-3 * plain[:1]
    return plain * 1e-6 if kind == "tiny" else plain


def gramian_of(kind: Kind, teachers: int, seed: int) -> Floats:
    rows = gradients(kind, teachers, seed)
    return rows @ rows.T


def caps(teachers: int) -> list[float]:
    return sorted({1.0, max(0.6, 1 / teachers), (1 + 1 / teachers) / 2, 1.02 / teachers, 1 / teachers})


def objective(gramian: Floats, weights: Floats) -> float:
    return float(weights @ gramian @ weights) / 2


def residual(gramian: Floats, weights: Floats, cap: float) -> float:
    """How far from optimal: of the multiplier's bounds, the largest below less the smallest above, by the trace."""
    slope = gramian @ weights / np.trace(gramian)
    down, up = slope[weights > 1e-12], slope[weights < cap - 1e-12]  # those that could give, those that could take
    return max(0.0, float(down.max() - up.min())) if len(up) else 0.0


def assert_feasible(weights: Floats, cap: float) -> None:
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights.min() >= -1e-15
    assert weights.max() <= cap + 1e-15


def enumerated(gramian: Floats, cap: float) -> float:
    """The least objective over all 3^T ways to hold weights at 0 or at the cap."""
    size = len(gramian)
    scaled = gramian / np.trace(gramian)
    best = np.inf
    for sides in product((-1, 0, 1), repeat=size):
        held = np.array(sides) != 0
        weights = np.where(np.array(sides) > 0, cap, 0.0)
        free = ~held
        if free.any():
            count = int(free.sum())
            system = np.zeros((count + 1, count + 1))
            system[:count, :count] = scaled[np.ix_(free, free)]
            system[count, :count] = system[:count, count] = 1
            right = np.append(-scaled[np.ix_(free, held)] @ weights[held], 1 - weights.sum())
            weights[free] = np.linalg.lstsq(system, right, rcond=None)[0][:count]
        if abs(weights.sum() - 1) < 1e-9 and weights.min() > -1e-9 and weights.max() < cap + 1e-9:
            best = min(best, objective(scaled, weights))
    return best


def slsqp(gramian: Floats, cap: float) -> float:
    """The objective that SciPy's general solver reaches from equal weights."""
    scaled = gramian / np.trace(gramian)
    size = len(gramian)
    found: Any = minimize(
        lambda w: objective(scaled, w) * size,
        np.full(size, 1 / size),
        jac=lambda w: scaled @ w * size,
        bounds=[(0, cap)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    weights = np.clip(found.x, 0, cap)
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    return objective(scaled, weights)


@pytest.mark.parametrize("teachers", range(2, 17))
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_feasible_and_optimal(kind: Kind, teachers: int) -> None:
    for seed in range(5):
        gramian = gramian_of(kind, teachers, seed)
        for cap in caps(teachers):
            weights = solve(gramian, cap)
            assert_feasible(weights, cap)
            assert residual(gramian, weights, cap) < 1e-9


@pytest.mark.parametrize("teachers", [6, 9, 12])
def test_weights_once_held_at_a_bound_are_released_where_they_should_be(teachers: int) -> None:
    """Rare: it takes many teachers with gradients of very different lengths."""
    for seed in range(60):
        gramian = gramian_of("wide", teachers, seed)
        for cap in caps(teachers)[1:]:
            assert residual(gramian, solve(gramian, cap), cap) < 1e-9


@pytest.mark.parametrize("teachers", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_no_way_to_hold_weights_is_better(kind: Kind, teachers: int) -> None:
    for seed in range(2):
        gramian = gramian_of(kind, teachers, seed)
        for cap in caps(teachers):
            found = objective(gramian / np.trace(gramian), solve(gramian, cap))
            assert found <= enumerated(gramian, cap) + 1e-9


@pytest.mark.parametrize("teachers", [6, 9, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_scipy_finds_nothing_better(kind: Kind, teachers: int) -> None:
    gramian = gramian_of(kind, teachers, 0)
    for cap in caps(teachers)[1:]:
        found = objective(gramian / np.trace(gramian), solve(gramian, cap))
        reference = slsqp(gramian, cap)
        assert found <= reference + 1e-8


@given(arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 4)), elements=st.integers(-3, 3)), st.floats(0, 1))
def test_any_gradients_of_small_integers(rows: Floats, share: float) -> None:
    """Degenerate more often than not: zeros, twins, opposites."""
    gramian = rows @ rows.T
    assume(np.trace(gramian) > 0)
    cap = 1 / len(rows) + share * (1 - 1 / len(rows))
    weights = solve(gramian, cap)
    assert_feasible(weights, cap)
    assert residual(gramian, weights, cap) < 1e-9


@pytest.mark.parametrize("teachers", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("kind", ["near-singular", "rank-1", "twins", "opposed"])
def test_a_gramian_rounded_to_float32_is_solved_too(kind: Kind, teachers: int) -> None:
    """As training computes it; rounded, it need not be positive semidefinite, and teachers that agree make it singular."""
    for seed in range(20):
        rows = gradients(kind, teachers, seed).astype(np.float32)
        gramian = (rows @ rows.T).astype(np.float64)
        exact = rows.astype(np.float64) @ rows.T.astype(np.float64)
        for cap in caps(teachers):
            weights = solve(gramian, cap)
            assert_feasible(weights, cap)
            assert residual(exact, weights, cap) < 1e-6


@pytest.mark.parametrize("cap", [0.5, 0.6, 0.8, 1.0])
def test_two_teachers_have_a_closed_form(cap: float) -> None:
    for seed in range(50):
        one, two = gradients("random" if seed % 2 else "wide", 2, seed)
        expected = np.clip((two - one) @ two / ((one - two) @ (one - two)), 1 - cap, cap)
        found = solve(np.array([[one @ one, one @ two], [two @ one, two @ two]]), cap)
        np.testing.assert_allclose(found, [expected, 1 - expected], atol=1e-8)


@pytest.mark.parametrize("teachers", [2, 3, 5, 16])
@pytest.mark.parametrize("kind", ["random", "wide", "near-singular"])
def test_permuted_teachers_have_permuted_weights(kind: Kind, teachers: int) -> None:
    for seed in range(5):
        gramian = gramian_of(kind, teachers, seed)
        order = np.random.default_rng(seed).permutation(teachers)
        for cap in caps(teachers):
            found = solve(gramian[np.ix_(order, order)], cap)
            np.testing.assert_allclose(found, solve(gramian, cap)[order], atol=1e-6)


@pytest.mark.parametrize("factor", [1e-24, 1e-12, 2.0**-40, 7.0, 1e12])
def test_the_scale_of_the_gramian_does_not_matter(factor: float) -> None:
    for teachers in (2, 5, 16):
        gramian = gramian_of("random", teachers, 1)
        for cap in caps(teachers):
            np.testing.assert_allclose(solve(factor * gramian, cap), solve(gramian, cap), atol=1e-9)


@pytest.mark.parametrize("teachers", [2, 3, 5, 16])
@pytest.mark.parametrize("size", [1e-12, 1.0, 3.7])
def test_teachers_that_agree_have_equal_weights(teachers: int, size: float) -> None:
    for cap in caps(teachers):
        np.testing.assert_allclose(solve(np.full((teachers, teachers), size), cap), 1 / teachers, atol=1e-12)
        np.testing.assert_allclose(solve(size * np.eye(teachers), cap), 1 / teachers, atol=1e-12)


def test_twins_share_what_is_theirs() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 10))
    twins = rows[[0, 1, 2, 1]]
    weights = solve(twins @ twins.T, 1.0)
    assert weights[1] == pytest.approx(weights[3], abs=1e-6)
    once = solve(rows @ rows.T, 1.0)
    np.testing.assert_allclose([weights[0], weights[1] + weights[3], weights[2]], once, atol=1e-6)


@pytest.mark.parametrize("teachers", [2, 3, 5, 7, 16])
def test_the_smallest_cap_gives_equal_weights_exactly(teachers: int) -> None:
    for kind in KINDS:
        assert solve(gramian_of(kind, teachers, 0), 1 / teachers).tolist() == [1 / teachers] * teachers


def test_no_gradient_gives_equal_weights() -> None:
    assert solve(np.zeros((4, 4)), 0.6).tolist() == [0.25] * 4


def test_a_teacher_without_gradient_takes_all_that_it_may() -> None:
    """It has the shortest vector there is."""
    rows = np.eye(3)
    rows[1] = 0
    np.testing.assert_allclose(solve(rows @ rows.T, 1.0), [0, 1, 0], atol=1e-8)
    np.testing.assert_allclose(solve(rows @ rows.T, 0.6), [0.2, 0.6, 0.2], atol=1e-8)


@pytest.mark.parametrize("kind", ["random", "opposed", "wide", "tiny"])
@pytest.mark.parametrize("teachers", [2, 3, 5, 16])
def test_with_the_largest_cap_no_teacher_is_worked_against(kind: Kind, teachers: int) -> None:
    """The step is d = −Σ w_t g_t: ⟨d, −g_t⟩ ≥ 0 for all t, however much their gradients conflict."""
    conflicts = 0
    for seed in range(10):
        rows = gradients(kind, teachers, seed)
        conflicts += bool(((rows @ rows.T) < 0).any())
        step = -solve(rows @ rows.T, 1.0) @ rows
        assert (-rows @ step).min() >= -1e-9 * (rows**2).sum()
    assert conflicts > 2


def test_tiny_gradients_are_not_taken_for_zero() -> None:
    """AE-KD's public solver returned its start, (C, 1−C, 0 …) in the order of teachers, in 200 of 200 such cases."""
    cap = 0.6
    start = np.array([cap, 1 - cap, 0, 0, 0])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = 1e-6 * rng.normal(size=(5, 60)) * rng.uniform(0.5, 2, size=(5, 1))
        gramian = rows @ rows.T
        weights = solve(gramian, cap)
        assert abs(weights - start).max() > 0.02
        assert residual(gramian, weights, cap) < 1e-9
        np.testing.assert_allclose(weights, solve(1e12 * gramian, cap), atol=1e-9)
        assert objective(gramian, weights) < 0.9 * objective(gramian, start)


def test_a_growing_cap_can_only_help() -> None:
    for seed in range(10):
        gramian = gramian_of("wide", 5, seed)
        norms = [objective(gramian, solve(gramian, cap)) for cap in (0.2, 0.25, 0.4, 0.6, 1.0)]
        assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(norms))


@pytest.mark.parametrize("cap", [0.1, 0.3, 1 / 3 - 1e-6])
def test_a_cap_that_leaves_no_weights_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match="leaves no weights for 3 teachers; expected at least 1/3"):
        solve(np.eye(3), cap)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gramian_that_is_not_finite_is_refused(value: float) -> None:
    gramian = np.eye(3)
    gramian[0, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        solve(gramian, 0.6)


def test_the_gramian_is_left_as_it_is() -> None:
    gramian = gramian_of("random", 4, 0)
    before = gramian.copy()
    solve(gramian, 0.6)
    np.testing.assert_array_equal(gramian, before)


def test_it_takes_few_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a step would wait for it: about one for each bound that is met."""
    for kind in KINDS:
        for seed in range(5):
            counted = Count(box_qp._move)
            monkeypatch.setattr(box_qp, "_move", counted)
            solve(gramian_of(kind, 16, seed), 0.6)
            monkeypatch.undo()
            assert counted.calls <= 3 * 16
