"""Teacher weights that another library computes from the Gramian of their gradients: the code common to its weightings."""

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
    """w = max(0, weighting(G / mean(diag G))), normalised to sum 1.

    The weighting maps the Gramian [T, T], in float64 on the CPU, to T numbers. The division by the mean diagonal makes its
    tolerances independent of the size of the gradients, whose inner products are near 1e-6 in training.

    Weightings for multi-task learning return the coefficients of a direction, whose sum is arbitrary (3.3 for PCGrad in one
    test). Here the sum would act as a hidden learning rate of the distillation. By default, negative numbers are therefore
    set to 0 and the rest is divided by its sum; if none is positive, weights are equal. Without `normalize`, the library's
    numbers for the Gramian of mean diagonal 1 are returned unchanged, and `raw` is true.

    A single teacher has weight 1. Weights are equal if all gradients vanish or some are not finite.
    """

    def __init__(
        self, make: Callable[[int], Any], normalize: bool = True, statistic: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """`make` builds the weighting of T teachers; it receives `statistic` of the Gramian, by default the Gramian itself."""
        make(2)  # a missing package is reported before a run, not in its first step
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
        return weights.to(signal.losses, non_blocking=True)

    def _ask(self, gramian: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The weighting's result. torch's global generator is seeded from `generator` for the call and restored afterwards."""
        import torch

        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy advises the library, at every step, how to be faster
            if generator is not None:
                # Not torch.manual_seed, which would reseed every GPU too.
                torch.default_generator.manual_seed(int(torch.randint(SEEDS, (), generator=generator)))
            weights: Tensor = self._weighting(self._statistic(gramian) if self._statistic else gramian)
        return weights.detach()
