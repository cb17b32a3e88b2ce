from __future__ import annotations

import torch

from kdbench.tasks.forecasting.outputs import Forecast
from kdbench_plugins.objectives.field_feature import FieldFeature

GENERATOR = torch.Generator().manual_seed(0)
OWN, AIM = torch.randn(3, 2, 4, 4, generator=GENERATOR), torch.randn(3, 5, 4, 4, generator=GENERATOR)


def losses(own: torch.Tensor, aim: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """With the head's weights."""
    objective = FieldFeature()
    head = objective.internal_head({"maps": [tuple(own.shape[1:])]}, {"maps": [tuple(aim.shape[1:])]})
    student, teacher = (Forecast(torch.zeros(3, 1, 1, 4, 4), {"maps": (each,)}) for each in (own, aim))
    return objective.losses(student, teacher, head, None), head.weight[:, :, 0, 0]  # type: ignore[index]


def test_it_is_the_distance_at_every_point_by_the_teachers_scale() -> None:
    found, weights = losses(OWN, AIM)
    scale = AIM.square().mean()
    for sample in range(3):
        apart = torch.stack([weights @ OWN[sample, :, i, j] - AIM[sample, :, i, j] for i in range(4) for j in range(4)])
        assert torch.isclose(found[sample], apart.square().mean() / scale)


def test_the_scale_of_the_teachers_features_does_not_matter() -> None:
    zero = torch.zeros_like(OWN)
    assert torch.isclose(losses(zero, AIM)[0].mean(), torch.tensor(1.0))
    assert torch.isclose(losses(zero, 1000 * AIM)[0].mean(), torch.tensor(1.0))


def test_a_teacher_on_another_grid_is_brought_to_the_students() -> None:
    same = AIM[:, :, :1, :1].expand(-1, -1, 2, 2)  # of one value each: equal on every grid
    coarse, _ = losses(torch.zeros_like(OWN), same)
    assert torch.allclose(coarse, same.square().mean(dim=(1, 2, 3)) / same.square().mean())
