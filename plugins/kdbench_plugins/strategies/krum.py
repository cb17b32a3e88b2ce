"""Multi-Krum (Blanchard et al., NeurIPS 2017) for teams of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kdbench import Signal, Skip
from kdbench_plugins.strategies.gramian_weighting import GramianWeighting

if TYPE_CHECKING:
    from torch import Tensor


class Krum(GramianWeighting):
    """w = 1/m for the m = `n_selected` teachers with the smallest Σ_j ‖g_t − g_j‖ over their T − f − 2 nearest, else 0.

    f is `n_byzantine`. With at most m teachers all are selected. With more, raises Skip if T < f + 3, because there are no
    neighbours to measure then.
    """

    def __init__(self, make: Callable[[int], Any], n_byzantine: int, n_selected: int, normalize: bool) -> None:
        super().__init__(make, normalize)
        self.n_byzantine = n_byzantine
        self.n_selected = n_selected

    def weigh(self, signal: Signal) -> Tensor:
        teachers = len(signal.teachers)
        if teachers <= self.n_selected:
            return signal.losses.new_full((teachers,), 1 / teachers)
        fewest = self.n_byzantine + 3
        if teachers < fewest:
            raise Skip(f"torchjd:krum: n_byzantine = {self.n_byzantine} takes {fewest} teachers or more; found {teachers}")
        return super().weigh(signal)
