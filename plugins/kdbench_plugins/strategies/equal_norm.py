"""`equal_norm`: weights inverse to the norms of the gradients. DB-MTL (arXiv 2308.12029) without its moving average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class EqualNorm:
    """Weights [T] proportional to 1/‖g_t‖: all weighted gradients have the same length.

    g_t is the gradient of teacher t's mean loss at the student's outputs. DB-MTL smooths the gradients (β) and takes them of
    log-losses, which changes lengths only; here β is 0. Teachers whose gradient is zero, if there are any, have all the weight
    in equal parts, because any multiple of their gradient is zero as well. Of two teachers, IMTL-G's weights are the same.
    """

    def weigh(self, signal: Signal) -> Tensor:
        from kdbench_plugins.strategies.loss_value import inverse

        return inverse(signal.gramian.diagonal().clamp(min=0).sqrt()).to(signal.losses)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "equal_norm",
            EqualNorm,
            "weights inverse to the norm of each teacher's gradient",
            formula="w_t ∝ 1 / ‖g_t‖",
            latex=r"w_t \propto \frac{1}{\left\lVert g_t \right\rVert}",
            source="DB-MTL with β = 0, Lin et al., arXiv 2308.12029",
            status="published",
        )
    ]
