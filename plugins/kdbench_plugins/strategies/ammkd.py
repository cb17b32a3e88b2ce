"""`ammkd`: AMMKD's gradient-diversity weighting (arXiv 2509.00039), built after AE-KD (Du et al., NeurIPS 2020).

A reconstruction, because only AMMKD's abstract is openly available. Its wording, and another paper by the same first
authors, point to AE-KD's quadratic programme, which is implemented here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import Offer, Signal, Skip, Strategy, hookimpl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Ammkd:
    """Weights of the shortest convex combination of the teachers' gradients, none above `C`.

    g_t is the gradient of teacher t's mean loss. With `space: embedding` it is taken at the student's embeddings, both towers
    concatenated; with `parameters`, at the student's parameters, which costs one backward through the student per teacher.
    This is the dual of AE-KD's programme with tolerance C: C = 1/T gives equal weights, C = 1 gives MGDA. With
    `normalize: l2` the programme reads unit gradients, and w_t is divided by ‖g_t‖, renormalised and capped again; if a
    gradient vanishes, gradients are not normalised at that step. Raises Skip if C < 1/T.
    """

    def __init__(
        self,
        *,
        C: Annotated[float, Field(gt=0, le=1)] = 0.6,
        normalize: Literal["none", "l2"] = "none",
        space: Literal["embedding", "parameters"] = "embedding",
    ) -> None:
        self.cap = C
        self.normalize = normalize
        self.space = space

    def weigh(self, signal: Signal) -> Tensor:
        import numpy as np
        import torch

        teachers = len(signal.teachers)
        if teachers == 1:  # a single teacher has weight 1 for any C
            return signal.losses.new_ones(1)
        if self.cap * teachers < 1 - 1e-12:
            raise Skip(f"ammkd: C = {self.cap} is below 1/{teachers}, so no weights of {teachers} teachers sum to 1")
        if self.cap * teachers <= 1 + 1e-12:  # only equal weights are feasible: no gradient is needed
            return signal.losses.new_full((teachers,), 1 / teachers)
        gramian = (signal.gramian if self.space == "embedding" else signal.parameter_gramian).double().cpu().numpy()
        if not np.isfinite(gramian).all():  # the loop is about to find a loss that is not finite
            return signal.losses.new_full((teachers,), 1 / teachers)
        weights = weights_from_gramian(gramian, self.cap, self.normalize)
        return torch.from_numpy(weights).to(signal.losses, non_blocking=True)


def weights_from_gramian(gramian: NDArray[Any], cap: float, normalize: Literal["none", "l2"]) -> NDArray[np.float64]:
    """The weights [T] for a Gramian [T, T], float64."""
    import numpy as np

    from kdbench_plugins.strategies.box_qp import solve

    norms = np.sqrt(np.diagonal(gramian))
    if normalize == "none" or not norms.all():
        return solve(gramian, cap)
    weights = solve(gramian / np.outer(norms, norms), cap) / norms
    return capped(weights / weights.sum(), cap)


def capped(weights: NDArray[np.float64], cap: float) -> NDArray[np.float64]:
    """Weights proportional to the given ones, none above `cap`, summing to 1: the excess goes to the others."""
    import numpy as np

    result = weights.copy()
    held = np.zeros(len(weights), dtype=bool)
    while (result > cap + 1e-15).any():
        held |= result > cap
        rest = weights[~held].sum()
        result = np.where(held, cap, weights * (1 - cap * held.sum()) / rest if rest > 0 else 0.0)
        if rest <= 0:  # all uncapped weights are zero: distribute the rest equally
            result[~held] = (1 - cap * held.sum()) / max(1, (~held).sum())
            break
    return result


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "ammkd",
            Ammkd,
            "gradient-diversity weights: the shortest convex combination of the gradients, none above C",
            formula="w = argmin ½‖Σ_t w_t g_t‖²  s.t. Σw = 1, 0 ≤ w_t ≤ C",
            latex=(
                r"w = \operatorname{argmin} \frac{1}{2} \left\lVert \sum_t w_t g_t \right\rVert^2 "
                r"\quad \text{s.t. } \sum w = 1, \; 0 \le w_t \le C"
            ),
            source="AMMKD, arXiv 2509.00039; AE-KD, Du et al., NeurIPS 2020",
            status="reconstruction",
        )
    ]
