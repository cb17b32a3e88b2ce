"""k-means whose clusters have one size."""

from __future__ import annotations

import torch

from kdbench_plugins.students.balanced_clusters import balanced_clusters


def test_clusters_that_lie_apart_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    own = torch.arange(4).repeat(5)
    points = 10 * torch.eye(4)[own] + torch.randn(20, 4, generator=generator)
    found = balanced_clusters(points, 4)
    assert len({(int(a), int(b)) for a, b in zip(own, found, strict=True)}) == 4


def test_clusters_have_one_size_whatever_the_points_are() -> None:
    generator = torch.Generator().manual_seed(1)
    for points in (torch.randn(24, 3, generator=generator), torch.zeros(24, 3), torch.randn(24, 3, generator=generator) ** 5):
        assert balanced_clusters(points, 6).bincount(minlength=6).tolist() == [4] * 6


def test_no_random_numbers_are_drawn() -> None:
    torch.manual_seed(0)
    points = torch.randn(16, 3)
    before = torch.get_rng_state()
    found = balanced_clusters(points, 4)
    assert torch.get_rng_state().equal(before)
    assert balanced_clusters(points, 4).equal(found)


def test_points_go_to_centres_that_are_near() -> None:
    points = torch.randn(64, 2, generator=torch.Generator().manual_seed(2)).double()
    found = balanced_clusters(points, 4)

    def spread(labels: torch.Tensor) -> float:
        return float(sum((points[labels == one] - points[labels == one].mean(0)).square().sum() for one in range(4)))

    assert spread(found) < 0.6 * spread(torch.arange(64) % 4)
