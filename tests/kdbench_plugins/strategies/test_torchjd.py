"""`torchjd:…`: what holds for all of TorchJD's weightings, then each against an oracle of its own."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from torch import Tensor

from kdbench import KdbenchError, Offer, Skip, Strategy
from kdbench.plugins.parameters import check_deeper, construct, params_model
from kdbench.storage import checkpoint
from kdbench.training.step import checked
from kdbench_plugins.strategies.box_qp import solve
from kdbench_plugins.strategies.remembering_weighting import RememberingWeighting
from kdbench_plugins.strategies.torchjd import PERMUTING, kdbench_strategies
from tests.support.toys import signal_of

OFFERS = {offer.name.removeprefix("torchjd:"): offer for offer in kdbench_strategies()}
ALL = sorted(OFFERS)
SHUFFLING = ["gradvac", "pcgrad"]
EXTRAS = {"cagrad": "cvxpy", "nash_mtl": "ecos", "fairgrad": "scipy", "upgrad": "quadprog", "dualproj": "qpsolvers"}


def built(name: str, **parameters: Any) -> Strategy:
    return construct(OFFERS[name], parameters)


def remembering(name: str, **parameters: Any) -> RememberingWeighting:
    strategy = built(name, **parameters)
    assert isinstance(strategy, RememberingWeighting)
    return strategy


def drawn(teachers: int, seed: int = 0, width: int = 10) -> Tensor:
    """Gradients of different lengths, some of which conflict."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.linspace(0.5, 2, teachers, dtype=torch.float64)[:, None]
    return scales * (torch.randn(teachers, width, generator=generator, dtype=torch.float64) + 0.1)


def scaled(rows: Tensor) -> NDArray[np.float64]:
    """The gradients divided by the root of their mean square length, as the library knows them."""
    found: NDArray[np.float64] = rows.numpy() / np.sqrt((rows.numpy() ** 2).sum(axis=1).mean())
    return found


def scaled_gramian(rows: Tensor) -> NDArray[np.float64]:
    """What the library reads, with a mean diagonal of 1."""
    return scaled(rows) @ scaled(rows).T


def raw(name: str, rows: Tensor, seed: int = 0, **parameters: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = built(name, normalize=False, **parameters).weigh(signal_of(rows, seed=seed)).numpy()
    return found


# All of them


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_weights_are_a_simplex_and_carry_no_gradient(name: str, teachers: int) -> None:
    for seed in range(3):
        signal = signal_of(drawn(teachers, seed))
        gramian = signal.gramian.clone()
        strategy = built(name)
        weights = strategy.weigh(signal)
        assert weights.shape == (teachers,)
        assert not weights.requires_grad
        assert weights.dtype == torch.float64
        assert weights.min() >= 0
        assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
        assert signal.gramian.equal(gramian)
        checked(weights, signal.losses, strategy)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [1e-12, 1e-5, 1e6])
def test_the_size_of_all_gradients_does_not_matter(name: str, size: float) -> None:
    for teachers in (2, 5):
        expected = built(name).weigh(signal_of(drawn(teachers)))
        torch.testing.assert_close(built(name).weigh(signal_of(size * drawn(teachers))), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_permuted_teachers_have_permuted_weights(name: str) -> None:
    if name in SHUFFLING:
        assert PERMUTING in OFFERS[name].waives
        return
    assert not OFFERS[name].waives
    order = [3, 0, 4, 1, 2]
    for seed in range(3):
        rows = drawn(5, seed)
        expected = built(name).weigh(signal_of(rows))[order]
        torch.testing.assert_close(built(name).weigh(signal_of(rows[order])), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_without_gradients_or_with_one_that_is_not_finite_weights_are_equal(name: str) -> None:
    broken, endless = drawn(3), drawn(3)
    broken[1, 2], endless[1, 2] = float("nan"), float("inf")
    for rows in (torch.zeros(3, 4, dtype=torch.float64), broken, endless):
        for normalize in (True, False):
            assert built(name, normalize=normalize).weigh(signal_of(rows)).tolist() == [1 / 3] * 3


@pytest.mark.parametrize("name", ALL)
def test_one_teacher_has_all_the_weight(name: str) -> None:
    signal = signal_of(drawn(1))
    assert built(name).weigh(signal).tolist() == [1.0]
    assert not {"gradients", "gramian"} & set(vars(signal))


@pytest.mark.parametrize("name", ALL)
def test_hard_cases_have_weights(name: str) -> None:
    rows = drawn(4)
    still = rows.clone()
    still[0] = 0
    twins = rows.clone()
    twins[1] = twins[0]
    cases = {
        "identical": rows[:1].expand(4, -1),
        "opposite": torch.cat([rows[:1], -rows[:1], rows[2:]]),
        "one line": rows[:, :1] * rows[:1],
        "one without a gradient": still,
        "twins": twins,
        "far apart": rows * torch.tensor([[1e-8], [1.0], [1e8], [1.0]], dtype=torch.float64),
        "nearly alike": 1 + 1e-6 * rows,
    }
    for case, given in cases.items():
        strategy = built(name)
        weights = strategy.weigh(signal_of(given.contiguous()))
        assert weights.isfinite().all(), case
        assert weights.min() >= 0, case
        assert float(weights.sum()) == pytest.approx(1, abs=1e-9), case


@pytest.mark.parametrize("name", ALL)
def test_losses_in_float32_are_weighed_in_float32(name: str) -> None:
    weights = built(name).weigh(signal_of(1e-6 * drawn(3).float()))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, built(name).weigh(signal_of(drawn(3))).float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_weights_and_the_global_generator_is_left_alone(name: str) -> None:
    rows = drawn(5)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = built(name).weigh(signal_of(rows, seed=3))
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    assert built(name).weigh(signal_of(rows, seed=3)).equal(first)


@pytest.mark.parametrize("name", ALL)
def test_raw_weights_are_the_librarys_and_the_others_are_made_of_them(name: str) -> None:
    rows = drawn(5)
    plain = built(name)
    assert getattr(plain, "raw", False) is False
    assert getattr(built(name, normalize=False), "raw", False) is True
    clipped = raw(name, rows).clip(min=0)
    np.testing.assert_allclose(plain.weigh(signal_of(rows)).numpy(), clipped / clipped.sum(), atol=1e-12)


def test_some_raw_weights_are_negative_and_few_sum_to_1() -> None:
    found = {name: [raw(name, drawn(5, seed)) for seed in range(5)] for name in ALL}
    assert min(weights.min() for weights in found["imtl_g"]) < -1e-3
    sums = {name: max(abs(weights.sum() - 1) for weights in found[name]) for name in ALL}
    assert {name for name, off in sums.items() if off < 1e-6} == {"imtl_g", "krum", "mgda"}
    assert max(weights.sum() for weights in found["pcgrad"]) > 3


def test_no_two_are_the_same() -> None:
    """Where gradients conflict, and after a step in which those that remember have seen something."""
    found = {}
    for name in ALL:
        strategy = built(name)
        for seed in (0, 2):
            found[name] = strategy.weigh(signal_of(drawn(5, seed)))
    found["equal"] = torch.full((5,), 0.2, dtype=torch.float64)
    for first in found:
        for second in found:
            assert first == second or (found[first] - found[second]).abs().max() > 1e-3, (first, second)


# Offers


def test_offering_imports_neither_torch_nor_the_library() -> None:
    code = (
        "import sys; from kdbench_plugins.strategies import torchjd as t; names = [o.name for o in t.kdbench_strategies()];"
        "print(len(names), sorted({'torch', 'torchjd', 'cvxpy', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == [str(len(ALL)), "[]\n"]


@pytest.mark.parametrize("name", ALL)
def test_offers_say_what_they_are(name: str) -> None:
    offer: Offer[Strategy] = OFFERS[name]
    assert offer.status == "library"
    assert offer.source.endswith("; TorchJD")
    assert offer.summary
    assert offer.formula
    assert "hidden learning rate" in (offer.build.__doc__ or "")
    assert params_model(offer)().model_dump()["normalize"] is True
    check_deeper(offer, {})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cagrad", {"c": -0.1}),
        ("mgda", {"epsilon": 0.0}),
        ("mgda", {"max_iters": 0}),
        ("upgrad", {"reg_eps": 0.0}),
        ("gradvac", {"beta": 1.1}),
        ("aligned_mtl", {"scale_mode": "max"}),
        ("fairgrad", {"alpha": -1.0}),
        ("krum", {"n_selected": 0}),
        ("pcgrad", {"beta": 0.5}),
    ],
)
def test_a_suite_cannot_give_other_parameters(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        params_model(OFFERS[name])(**parameters)


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_extra_is_named_before_a_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, EXTRAS[name], None)
    for ask in (construct, check_deeper):
        with pytest.raises(KdbenchError, match=rf"(?s){EXTRAS[name]}.*pip install 'torchjd\[full\]'"):
            ask(OFFERS[name], {})


@pytest.mark.parametrize("name", ALL)
def test_a_missing_library_is_named_before_a_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(KdbenchError, match=r"pip install 'torchjd\[full\]'"):
        check_deeper(OFFERS[name], {})


# Those that remember


@pytest.mark.parametrize(("name", "parameters"), [("gradvac", {}), ("nash_mtl", {}), ("nash_mtl", {"update_weights_every": 3})])
@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_a_resumed_run_goes_on_to_the_last_bit(name: str, parameters: dict[str, Any], stop: int, tmp_path: Path) -> None:
    def weighed(strategy: Strategy, steps: range) -> list[Tensor]:
        return [strategy.weigh(signal_of(drawn(4, seed=step), seed=step)) for step in steps]

    whole, first, second = (remembering(name, **parameters) for _ in range(3))
    expected = weighed(whole, range(5))
    weighed(first, range(stop))
    checkpoint.save(tmp_path / "state", first.state_dict())
    state = checkpoint.load(tmp_path / "state")
    assert state is not None
    second.load_state_dict(state)
    torch.manual_seed(9)
    again = weighed(second, range(stop, 5))
    assert all(one.equal(other) for one, other in zip(again, expected[stop:], strict=True))
    checkpoint.save(tmp_path / "one", whole.state_dict())
    checkpoint.save(tmp_path / "other", second.state_dict())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(("name", "parameters"), [("gradvac", {}), ("nash_mtl", {"update_weights_every": 3})])
def test_what_they_remember_counts(name: str, parameters: dict[str, Any]) -> None:
    strategy = built(name, **parameters)
    for step in range(2):
        strategy.weigh(signal_of(drawn(4, seed=step)))
    last = strategy.weigh(signal_of(drawn(4, seed=2)))
    assert (last - built(name, **parameters).weigh(signal_of(drawn(4, seed=2)))).abs().max() > 1e-3


def test_a_state_handed_out_stays_as_it_was() -> None:
    for name in ("gradvac", "nash_mtl"):
        strategy = remembering(name)
        strategy.weigh(signal_of(drawn(4)))
        state = strategy.state_dict()
        before = {**state["buffers"], **state["attributes"]}
        before = {key: value.clone() if isinstance(value, Tensor) else value for key, value in before.items()}
        strategy.weigh(signal_of(drawn(4, seed=1)))
        after = {**state["buffers"], **state["attributes"]}
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[key], after[key]) for key in before)


# Oracles


def test_mgda_is_the_shortest_mixture() -> None:
    for seed in range(10):
        for teachers in (2, 3, 6):
            rows = drawn(teachers, seed)
            found = built("mgda", epsilon=1e-12, max_iters=1000).weigh(signal_of(rows)).numpy()
            expected = solve((rows @ rows.T).numpy(), 1.0)
            # Frank and Wolfe's error in the squared norm falls as 4D²/steps, D the longest difference of gradients.
            longest = float(torch.cdist(rows, rows).max())
            excess = np.sum((found @ rows.numpy()) ** 2) - np.sum((expected @ rows.numpy()) ** 2)
            assert -1e-6 < excess <= 4 * longest**2 / 1000
            if teachers == 2:  # one exact step along the only edge
                np.testing.assert_allclose(found, expected, atol=1e-8)


def test_mgda_takes_as_many_steps_as_it_is_told() -> None:
    rows = drawn(3)
    one, coarse = (built("mgda", **given).weigh(signal_of(rows)) for given in ({"max_iters": 1}, {"epsilon": 1.5}))
    assert one.equal(coarse)
    values = sorted(one.tolist())
    assert values[0] == pytest.approx(values[1])  # from the middle towards one corner
    assert (one - built("mgda").weigh(signal_of(rows))).abs().max() > 1e-2


def projected(gramian: NDArray[np.float64], least: NDArray[np.float64], reg_eps: float) -> NDArray[np.float64]:
    """argmin_{v ≥ least} vᵀMv for M = G/trace + reg_eps·I: with v = least + s, a least-squares problem in s ≥ 0."""
    matrix = gramian / np.trace(gramian) + reg_eps * np.eye(len(gramian))
    factor = np.linalg.cholesky(matrix).T
    found: NDArray[np.float64] = least + nnls(factor, -factor @ least)[0]
    return found


@pytest.mark.parametrize("reg_eps", [1e-4, 1e-2])
def test_dualproj_projects_the_mean(reg_eps: float) -> None:
    moved = 0
    for seed in range(10):
        rows = drawn(4, seed, width=4)
        expected = projected((rows @ rows.T).numpy(), np.full(4, 0.25), reg_eps)
        np.testing.assert_allclose(raw("dualproj", rows, reg_eps=reg_eps), expected, atol=1e-7)
        moved += expected.sum() > 1.01
    assert moved >= 5


@pytest.mark.parametrize("reg_eps", [1e-4, 1e-2])
def test_upgrad_projects_each_and_takes_the_mean(reg_eps: float) -> None:
    for seed in range(10):
        rows = drawn(4, seed, width=4)
        expected = sum(projected((rows @ rows.T).numpy(), unit / 4, reg_eps) for unit in np.eye(4))
        np.testing.assert_allclose(raw("upgrad", rows, reg_eps=reg_eps), expected, atol=1e-7)


@pytest.mark.parametrize("name", ["upgrad", "dualproj", "mgda"])
def test_some_conflict_with_no_teacher(name: str) -> None:
    parameters = {"epsilon": 1e-9, "max_iters": 1000} if name == "mgda" else {"reg_eps": 1e-9}
    for seed in range(5):
        rows = drawn(4, seed)
        total = built(name, **parameters).weigh(signal_of(rows)) @ rows
        assert (rows @ total).min() > -1e-3 * float(rows.square().sum())


def test_pcgrad_of_two_has_a_closed_form() -> None:
    conflicts = 0
    for seed in range(20):
        rows = drawn(2, seed, width=4)
        (a, b), (_, c) = scaled_gramian(rows)
        conflicts += b < 0
        expected = [1 - min(0, b) / a, 1 - min(0, b) / c]
        np.testing.assert_allclose(raw("pcgrad", rows), expected, atol=1e-12)
    assert 5 <= conflicts <= 15


def surgery(rows: NDArray[np.float64], orders: tuple[tuple[int, ...], ...]) -> NDArray[np.float64]:
    """PCGrad on the gradients themselves, teacher i meeting the others in the order given."""
    total = np.zeros(rows.shape[1])
    for i, order in enumerate(orders):
        own = rows[i].copy()
        for j in order:
            if own @ rows[j] < 0:
                own -= own @ rows[j] / (rows[j] @ rows[j]) * rows[j]
        total += own
    return total


def test_pcgrad_of_three_is_one_of_eight_orders_and_each_comes() -> None:
    rows = torch.tensor([[1.0, 0.2, 0.0, 0.0], [-0.8, 0.9, 0.1, 0.0], [-0.3, -1.0, 0.7, 0.3]], dtype=torch.float64)
    unit = scaled(rows)
    others = [((1, 2), (2, 1)), ((0, 2), (2, 0)), ((0, 1), (1, 0))]
    ways = [surgery(unit, orders) for orders in product(*others)]
    came = set()
    for seed in range(60):
        total = raw("pcgrad", rows, seed) @ unit
        distances = [float(np.abs(total - way).max()) for way in ways]
        assert min(distances) < 1e-12
        came.add(int(np.argmin(distances)))
    assert len(came) == len({tuple(way.round(9)) for way in ways}) == 8


def test_gradvac_of_two_on_the_gradients_themselves() -> None:
    beta, targets = 0.3, np.zeros((2, 2))
    strategy = built("gradvac", normalize=False, beta=beta)
    lifted = 0
    for step in range(12):
        rows = drawn(2, seed=step, width=4)
        unit = scaled(rows)
        total = np.zeros(4)
        for i, j in ((0, 1), (1, 0)):
            own, other = unit[i], unit[j]
            lengths = np.linalg.norm(own), np.linalg.norm(other)
            cosine, target = own @ other / (lengths[0] * lengths[1]), targets[i, j]
            if cosine < target:
                # Within the plane of both, the vector whose part across `other` is kept and whose cosine is the target.
                across = own - own @ other / lengths[1] ** 2 * other
                own = across + np.linalg.norm(across) * target / np.sqrt(1 - target**2) * other / lengths[1]
                lifted += target != 0
            targets[i, j] = (1 - beta) * target + beta * cosine
            total += own
        found = strategy.weigh(signal_of(rows)).numpy() @ unit
        np.testing.assert_allclose(found, total, atol=1e-6)
    assert lifted >= 4


def test_imtl_g_has_the_same_projection_onto_all() -> None:
    for seed in range(5):
        rows = drawn(4, seed)
        weights = raw("imtl_g", rows)
        assert weights.sum() == pytest.approx(1)
        onto = (rows @ rows.T).numpy() @ weights / rows.norm(dim=1).numpy()
        np.testing.assert_allclose(onto, onto[0], rtol=1e-9)


def test_nash_mtl_solves_its_equation() -> None:
    for seed in (0, 1, 3, 4, 5):
        rows = drawn(4, seed)
        weights = raw("nash_mtl", rows, max_norm=0.0)
        assert weights.min() > 0
        np.testing.assert_allclose(scaled_gramian(rows) @ weights, 1 / weights, rtol=2e-3)


def test_nash_mtl_stays_where_its_weights_before_conflict_with_a_teacher() -> None:
    """A limit of the library, which its docstring here tells of; `fairgrad` finds the solution from anywhere."""
    rows = drawn(4, seed=2)
    assert (scaled_gramian(rows).sum(axis=1) < 0).any()
    assert raw("nash_mtl", rows, max_norm=0.0).tolist() == [1.0] * 4
    weights = raw("fairgrad", rows, alpha=1.0)
    np.testing.assert_allclose(scaled_gramian(rows) @ weights, 1 / weights, rtol=1e-4)


def test_nash_mtl_asks_its_solver_as_often_as_it_is_told() -> None:
    strategy = built("nash_mtl", update_weights_every=3)
    first, second, third, fourth = (strategy.weigh(signal_of(drawn(4, seed))) for seed in (0, 1, 3, 4))
    for kept in (second, third):  # but for the length, which is bounded anew
        torch.testing.assert_close(kept, first, rtol=0, atol=1e-12)
    assert (fourth - first).abs().max() > 1e-2


def test_nash_mtl_bounds_the_length_of_raw_mixtures() -> None:
    rows = drawn(4)
    for bound in (0.1, 0.5):
        weights = raw("nash_mtl", rows, max_norm=bound)
        assert weights @ scaled_gramian(rows) @ weights == pytest.approx(bound**2)
        free = raw("nash_mtl", rows, max_norm=0.0)
        np.testing.assert_allclose(weights / weights.sum(), free / free.sum(), atol=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_fairgrad_solves_its_equation(alpha: float) -> None:
    for seed in range(5):
        rows = drawn(4, seed)
        weights = raw("fairgrad", rows, alpha=alpha)
        assert weights.min() > 0
        np.testing.assert_allclose(scaled_gramian(rows) @ weights, weights ** (-1 / alpha), rtol=1e-4)


def test_fairgrad_at_0_is_the_mean_and_at_1_the_nash_solution() -> None:
    rows = drawn(4)
    assert raw("fairgrad", rows, alpha=0.0).tolist() == [0.25] * 4
    nash = built("nash_mtl").weigh(signal_of(rows))
    torch.testing.assert_close(built("fairgrad", alpha=1.0).weigh(signal_of(rows)), nash, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("mode", "of"), [("min", np.min), ("rmse", lambda s: np.sqrt(np.mean(s**2)))])
def test_aligned_mtl_gives_all_components_one_length(mode: str, of: Any) -> None:
    for seed in range(5):
        rows = drawn(4, seed)
        unit = scaled(rows)
        left, lengths, right = np.linalg.svd(unit, full_matrices=False)
        expected = of(lengths) * (left @ right).mean(axis=0)
        np.testing.assert_allclose(raw("aligned_mtl", rows, scale_mode=mode) @ unit, expected, atol=1e-9)


@pytest.mark.parametrize("c", [0.2, 0.5, 0.9])
def test_cagrad_serves_the_worst_off_best_near_the_mean(c: float) -> None:
    for seed in range(3):
        unit = scaled(drawn(4, seed, width=6))
        mean = unit.mean(axis=0)
        radius = c * np.linalg.norm(mean)

        def bound(weights: NDArray[np.float64], unit: Any = unit, mean: Any = mean, radius: Any = radius) -> float:
            """No direction within the radius can serve the worst-off better, whatever the weights of a simplex."""
            return float(mean @ (weights @ unit) + radius * np.linalg.norm(weights @ unit))

        step = raw("cagrad", drawn(4, seed, width=6), c=c) @ unit
        assert np.linalg.norm(step - mean) == pytest.approx(radius, rel=1e-3)
        simplex = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
        least = minimize(bound, np.full(4, 0.25), bounds=[(0, 1)] * 4, constraints=[simplex], tol=1e-12).fun
        # The bound is flat where it is least: the solver's 1e-8 there is the root of it in the direction.
        assert (unit @ step).min() == pytest.approx(least, abs=2e-4)
        assert least > (unit @ mean).min() + 0.01


def test_cagrad_at_0_is_the_mean() -> None:
    np.testing.assert_allclose(built("cagrad", c=0.0).weigh(signal_of(drawn(4))).numpy(), [0.25] * 4, atol=1e-9)


@pytest.mark.parametrize(("byzantine", "selected"), [(0, 2), (1, 2), (2, 1), (1, 3)])
def test_krum_in_plain_loops(byzantine: int, selected: int) -> None:
    for seed in range(5):
        rows = drawn(6, seed).numpy()
        scores = []
        for t in range(6):
            distances = sorted(float(np.linalg.norm(rows[t] - rows[j])) for j in range(6) if j != t)
            scores.append(sum(distances[: 6 - byzantine - 2]))
        chosen = sorted(range(6), key=lambda t: scores[t])[:selected]
        found = built("krum", n_byzantine=byzantine, n_selected=selected).weigh(signal_of(torch.from_numpy(rows)))
        np.testing.assert_allclose(found.numpy(), [(t in chosen) / selected for t in range(6)])


def test_krum_of_a_few_teachers() -> None:
    assert built("krum").weigh(signal_of(drawn(2))).tolist() == [0.5, 0.5]
    assert built("krum", n_byzantine=4, n_selected=3).weigh(signal_of(drawn(3))).tolist() == [1 / 3] * 3
    with pytest.raises(Skip, match="n_byzantine = 1 takes 4 teachers or more; found 3"):
        built("krum", n_byzantine=1).weigh(signal_of(drawn(3)))


def test_krum_leaves_out_the_one_that_points_elsewhere() -> None:
    rows = drawn(1).expand(3, -1) + 0.1 * drawn(3)
    rows[1] = -rows[1]
    assert built("krum").weigh(signal_of(rows)).tolist() == [0.5, 0.0, 0.5]
