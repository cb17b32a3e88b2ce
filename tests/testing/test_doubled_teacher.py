"""A teacher that is in the team twice, under equal weights, teaches what it teaches once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdbench import Batch, Strategy
from kdbench.tasks.retrieval import Retrieval
from kdbench.training.step import Teaching, backward
from kdbench.training.team import Team
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.fixed import Fixed
from tests.support.toys import batch_of, pairs_with, team_teacher

IMAGES, CAPTIONS = np.array([3, 0, 7, 12, 5]), np.array([23, 0, 7, 12, 25])


def gradients(names: Sequence[str], strategy: Strategy | None) -> tuple[float, list[Tensor]]:
    """The loss and the gradients at two linear towers and the scale, where every name is the same teacher."""
    draw = torch.Generator().manual_seed(4)
    features = [torch.randn(5, 6, generator=draw, dtype=torch.float64) for _ in range(2)]
    towers = [torch.randn(6, 4, generator=draw, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    logit_scale = torch.tensor(math.log(8.0), requires_grad=True)
    team = Team([team_teacher(name, seed=1) for name in names], [(1.0, RelationalKL())], 4, 0, "cpu")
    views = [normalize(seen @ tower, dim=1) for seen, tower in zip(features, towers, strict=True)]
    indices = torch.arange(5)
    rows = Batch(torch.from_numpy(IMAGES), torch.from_numpy(CAPTIONS), indices, 0.5)
    teaching = Teaching(team, team.outputs(rows), strategy, 2.0, torch.Generator())
    result = backward(
        Retrieval(), views, pairs_with(logit_scale.exp()), batch_of(torch.arange(5)), teaching, [*towers, logit_scale]
    )
    leaves = [leaf.grad for leaf in (*towers, logit_scale)]
    return float(result.loss), [grad for grad in leaves if grad is not None]


@pytest.mark.parametrize("times", [2, 3])
def test_a_teacher_given_twice_under_equal_equals_it_once(times: int) -> None:
    loss, once = gradients(["a"], None)
    doubled, several = gradients([f"a{place}" for place in range(times)], Equal())
    assert doubled == pytest.approx(loss, rel=1e-6)
    assert len(once) == len(several) == 3
    for found, expected in zip(several, once, strict=True):
        assert expected.abs().sum() > 0
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_so_it_does_under_any_weights_that_sum_to_one() -> None:
    _, once = gradients(["a"], None)
    _, several = gradients(["a", "b"], Fixed(weights={"a": 3.0, "b": 1.0}))
    for found, expected in zip(several, once, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_its_gradient_is_not_that_of_the_task_alone() -> None:
    """Lest the two agree because nothing is taught."""
    draw = torch.Generator().manual_seed(4)
    features = [torch.randn(5, 6, generator=draw, dtype=torch.float64) for _ in range(2)]
    towers = [torch.randn(6, 4, generator=draw, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    views = [normalize(seen @ tower, dim=1) for seen, tower in zip(features, towers, strict=True)]
    backward(Retrieval(), views, pairs_with(torch.tensor(8.0)), batch_of(torch.arange(5)))
    assert towers[0].grad is not None
    assert not torch.allclose(towers[0].grad, gradients(["a"], None)[1][0], rtol=1e-2)
