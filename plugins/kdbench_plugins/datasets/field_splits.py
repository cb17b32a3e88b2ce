"""Which trajectories go to which split."""

from __future__ import annotations

from typing import get_args

from kdbench import KdbenchError, SplitName

SPLITS: tuple[SplitName, ...] = get_args(SplitName)


def deal(count: int, validation: float, test: float, seed: int | None, where: str) -> dict[SplitName, list[int]]:
    """Numbers of trajectories in increasing order for each split: at least one for each, the rest for the train split.

    The train split comes first and the test split last; with a `seed`, numbers are drawn. Raises KdbenchError if there are
    too few.
    """
    import numpy as np

    others = [max(1, round(share * count)) for share in (validation, test)]
    train = count - sum(others)
    if train < 1:
        raise KdbenchError(f"{where}: found {count} trajectories; expected at least 3, one for each split")
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    parts = np.split(order, [train, train + others[0]])
    return {name: sorted(part.tolist()) for name, part in zip(SPLITS, parts, strict=True)}


def check_shares(validation: float, test: float, whose: str) -> None:
    """Raises KdbenchError if shares leave nothing to train on."""
    if validation + test >= 1:
        raise KdbenchError(f"{whose}: validation, test: found {validation:g} + {test:g}; expected less than 1 together")
