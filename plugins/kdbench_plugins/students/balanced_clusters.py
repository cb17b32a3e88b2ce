"""Clusters of equal size: k-means whose clusters have a capacity (as in MoEfication, Zhang et al., ACL Findings 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 10  # at most: with a capacity, rounds need not settle


def balanced_clusters(points: Tensor, count: int) -> Tensor:
    """The cluster, 0 to count − 1, of each of the points [n, d], int64 [n]; every cluster has n/count points.

    Draws no random numbers. `count` must divide n.
    """
    points = points.detach().double()
    centres, found = points[_spread(points, count)], torch.full((len(points),), -1)
    for _ in range(ROUNDS):
        before, found = found, _assigned(torch.cdist(points, centres), len(points) // count)
        if found.equal(before):
            break
        centres = torch.stack([points[found == cluster].mean(dim=0) for cluster in range(count)])
    return found


def _spread(points: Tensor, count: int) -> Tensor:
    """Indices of points far from each other: each is the one furthest from all before it, the first from the mean."""
    nearest = (points - points.mean(dim=0)).norm(dim=1)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        away = (points - points[chosen[-1]]).norm(dim=1)
        nearest = torch.minimum(nearest, away) if len(chosen) > 1 else away
    return torch.tensor(chosen)


def _assigned(distances: Tensor, capacity: int) -> Tensor:
    """Pairs of a point and a centre [n, count] are taken by distance, those of a full cluster or an assigned point left out."""
    points, count = distances.shape
    cluster, room = [-1] * points, [capacity] * count
    for pair in distances.flatten().argsort(stable=True).tolist():
        point, centre = divmod(pair, count)
        if cluster[point] < 0 and room[centre]:
            cluster[point] = centre
            room[centre] -= 1
    return torch.tensor(cluster)
