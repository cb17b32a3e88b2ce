"""`relational_within` against RKD's code, and its options."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdbench import Pairs
from kdbench.testing import conform
from kdbench_plugins.objectives.relational_within import RelationalWithin, angles, distances, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 6
STEP = batch_of(torch.arange(BATCH))
STUDENT = random_pairs(BATCH, 4)
TEACHER = random_pairs(BATCH, 7, seed=1)  # of another width


def pdist(e: Tensor, eps: float = 1e-12) -> Tensor:
    """As in github.com/lenscloth/RKD, metric/utils.py."""
    e_square = e.pow(2).sum(dim=1)
    res = (e_square.unsqueeze(1) + e_square.unsqueeze(0) - 2 * (e @ e.t())).clamp(min=eps).sqrt()
    res = res.clone()
    res[range(len(e)), range(len(e))] = 0
    return res


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """As in metric/loss.py, RKdAngle and RkdDistance."""
    t_d = pdist(teacher)
    t_d = t_d / t_d[t_d > 0].mean()
    d = pdist(student)
    return F.smooth_l1_loss(d / d[d > 0].mean(), t_d)


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    found = []
    for e in (student, teacher):
        norm = F.normalize(e.unsqueeze(0) - e.unsqueeze(1), p=2, dim=2)
        found.append(torch.bmm(norm, norm.transpose(1, 2)).view(-1))
    return F.smooth_l1_loss(found[0], found[1])


@pytest.mark.parametrize("modality", ["image", "text"])
@pytest.mark.parametrize(("distance", "angle"), [(1.0, 0.0), (0.0, 1.0), (25.0, 50.0)])
def test_the_mean_over_samples_is_rkds_loss(modality: str, distance: float, angle: float) -> None:
    found = RelationalWithin(modality=modality, distance=distance, angle=angle).losses(STUDENT, TEACHER, None, STEP)  # type: ignore[arg-type]
    own, aim = getattr(STUDENT, modality), getattr(TEACHER, modality)
    assert found.shape == (BATCH,)
    torch.testing.assert_close(found.mean(), distance * rkd_distance(own, aim) + angle * rkd_angle(own, aim))


def test_both_modalities_are_averaged() -> None:
    image, text, both = (
        RelationalWithin(modality=name).losses(STUDENT, TEACHER, None, STEP) for name in ("image", "text", "both")
    )
    torch.testing.assert_close(both, (image + text) / 2)


def test_a_missing_tower_is_left_out() -> None:
    """A teacher of images has texts of width 0."""
    images_only = replace(TEACHER, text=TEACHER.text[:, :0])
    found = RelationalWithin().losses(STUDENT, images_only, None, STEP)
    torch.testing.assert_close(found, RelationalWithin(modality="image").losses(STUDENT, TEACHER, None, STEP))


def test_one_sided_leaves_out_what_is_already_near_or_far_enough() -> None:
    objective = RelationalWithin(modality="image", angle=0, one_sided=True)
    d, t = distances(STUDENT.image).tolist(), distances(TEACHER.image).tolist()
    ordered = sorted(value for row in t for value in row if value > 0)
    median = ordered[(len(ordered) - 1) // 2]
    expected = []
    for own, aim in zip(d, t, strict=True):
        total = 0.0
        for x, y in zip(own, aim, strict=True):
            wrong = x > y if y < median else x < y
            gap = abs(x - y)
            total += wrong * (gap * gap / 2 if gap < 1 else gap - 0.5)
        expected.append(total / BATCH)
    found = objective.losses(STUDENT, TEACHER, None, STEP)
    assert found.tolist() == pytest.approx(expected)
    assert (found < RelationalWithin(modality="image", angle=0).losses(STUDENT, TEACHER, None, STEP)).any()


def test_equal_vectors_have_no_direction_and_no_large_gradient() -> None:
    image = torch.nn.functional.normalize(torch.ones(BATCH, 4), dim=1).requires_grad_()
    losses = RelationalWithin().losses(Pairs(image, image, 1.0), TEACHER, None, STEP)
    (gradient,) = torch.autograd.grad(losses.sum(), image)
    assert angles(image).abs().max() == 0
    assert gradient.abs().max() < 1e3


def test_conform() -> None:
    (offer,) = kdbench_objectives()
    assert [finding for finding in conform(offer, "objective") if finding.outcome != "holds"] == []
