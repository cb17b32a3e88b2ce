"""Teachers' weights made of the Gramian of their gradients by another library: what its weightings all share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kdbench import Signal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SEEDS = 2**32  # torch's CPU generator reads 32 bits of a seed


class GramianWeighting:
    """w = max(0, weighting(G / mean of G's diagonal)), divided by its sum.

    The weighting reads the Gramian [T, T] in float64 on the CPU and gives T numbers. Dividing by the mean diagonal lets
    its tolerances mean the same whatever the size of the gradients, which in training are near 1e-6.

    A weighting made for multi-task learning gives coefficients of a direction, whose sum is free: PCGrad's came to 3.3 in a
    test. Here the sum would act as a hidden learning rate of the distillation, so that by default negative numbers are set
    to 0 and the rest is divided by its sum; where none is positive, weights are equal. Without `normalize` the library's
    numbers are returned as they are for the Gramian of mean diagonal 1, and `raw` says so to the core.

    One teacher has weight 1. Equal weights are given where all gradients vanish or some are not finite.
    """

    def __init__(
        self, make: Callable[[int], Any], normalize: bool = True, statistic: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """`make` gives the weighting of T teachers, which reads the `statistic` of the Gramian, itself by default."""
        make(2)  # what it lacks to be made is said before a run, not in its first step
        self.raw = not normalize
        self._make = make
        self._statistic = statistic
        self._weighting: Any = None

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        teachers = len(signal.teachers)
        equal = signal.losses.new_full((teachers,), 1 / teachers)
        if teachers == 1:
            return equal
        gramian = signal.gramian.double().cpu()
        size = gramian.diagonal().mean()
        if not torch.isfinite(gramian).all() or not size > 0:
            return equal
        if self._weighting is None:
            self._weighting = self._make(teachers)
        weights = self._ask(gramian / size, signal.generator)
        if not self.raw:
            weights = weights.clamp(min=0)
            if not weights.sum() > 0:
                return equal
            weights = weights / weights.sum()
        return weights.to(signal.losses)

    def _ask(self, gramian: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The weighting's answer. What it draws from the global generator is seeded from `generator` and taken back."""
        import torch

        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy tells its caller, the library, how to be faster, at every step
            if generator is not None:
                # Not torch.manual_seed, which would reseed every GPU too.
                torch.default_generator.manual_seed(int(torch.randint(SEEDS, (), generator=generator)))
            weights: Tensor = self._weighting(self._statistic(gramian) if self._statistic else gramian)
        return weights.detach()
