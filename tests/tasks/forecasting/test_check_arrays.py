from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kdbench.tasks.forecasting.check_arrays import problems, record_problems, unit_problems
from kdbench.tasks.forecasting.errors import errors
from kdbench.tasks.forecasting.metrics import metrics

SIZES = {"trajectories": 4, "samples": 4, "frames": 3, "points": 64}
Arrays = dict[str, NDArray[np.float64]]


def arrays() -> Arrays:
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(4, 5, 1, 8, 8, generator=rng, dtype=torch.float64)
    forecast = truth + 0.3 * torch.randn(truth.shape, generator=rng, dtype=torch.float64)
    return {name: values.numpy() for name, values in errors(forecast, truth, 3, [6.0], [0.25, 0.75]).items()}


def found(change: Callable[[Arrays], object]) -> list[tuple[str, str, str]]:
    changed = {name: values.copy() for name, values in arrays().items()}
    change(changed)
    return list(problems(changed, SIZES, metrics(2), 2))


def test_errors_have_none() -> None:
    assert found(lambda _: None) == []
    without = {name: values for name, values in arrays().items() if "rollout" not in name}
    assert list(problems(without, SIZES, metrics(0), 0)) == []


@pytest.mark.parametrize(
    ("change", "what", "seen"),
    [
        (lambda arrays: arrays.pop("mae"), "array mae", "nothing"),
        (lambda arrays: arrays.update(other=arrays["mae"]), "array other", "an array that nothing reads"),
        (lambda arrays: arrays.update(mse=arrays["mse"][:3]), "array mse", "float64 of shape [3]"),
        (lambda arrays: arrays["mse_last"].__setitem__(2, -0.1), "array mse_last", "-0.1"),
        (lambda arrays: arrays["mae"].__setitem__(1, 0.5), "array mae, sample 1", "0.5"),
        (lambda arrays: arrays["mse_low"].__setitem__(3, 9.0), "array mse, sample 3", ""),
        (lambda arrays: arrays["rollout_mse"].__setitem__(0, 1.0), "array rollout_mse, sample 0", "1"),
        (lambda arrays: arrays["ssim_by_frame"].__setitem__((0, 0), 1.5), "array ssim_by_frame", ""),
    ],
)
def test_a_problem_is_named(change: Callable[[Arrays], object], what: str, seen: str) -> None:
    first = found(change)[0]
    assert first[0] == what
    assert first[1].startswith(seen)


def test_units_and_sizes_are_checked() -> None:
    several = SIZES | {"trajectories": 2}
    assert list(unit_problems({"samples": np.array([0, 0, 1, 1])}, several)) == []
    assert [what for what, *_ in unit_problems({"mse": np.zeros(4, np.int64)}, several)] == ["units mse"]
    assert [seen for _, seen, _ in unit_problems({"samples": np.zeros(4, np.int64)}, several)] == ["1"]
    assert [seen for _, seen, _ in unit_problems({"samples": np.zeros(3, np.int64)}, several)] == ["3"]
    assert list(record_problems(SIZES)) == list(record_problems({})) == []
    for wrong in ({"trajectories": 5}, {"points": 0}, {"images": 3}):
        assert len(list(record_problems(SIZES | wrong))) == 1
