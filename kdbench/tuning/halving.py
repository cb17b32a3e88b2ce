"""Asynchronous successive halving (Li et al., MLSys 2020), as a function of the values that trials have reported.

Optuna's pruner stores its decision at a rung in the trial and does not decide again: a trial that is killed before its end
would resume although it was pruned. This one gives the same answer at every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kdbench.suite.sweep import Pruner


def rung(epoch: int, pruner: Pruner, every: int) -> bool:
    """Whether an epoch is a rung: the first that is validated at or after one of r·ηˢ, r·ηˢ⁺¹ …"""
    step: int = max(pruner.min_resource or every, every) * pruner.reduction_factor**pruner.min_early_stopping_rate
    while -(-step // every) * every < epoch:
        step *= pruner.reduction_factor
    return -(-step // every) * every == epoch


def prunes(
    epoch: int,
    value: float,
    others: Iterable[Mapping[int, float]],
    pruner: Pruner,
    every: int,
    lower_is_better: bool = False,
) -> bool:
    """Whether to prune a trial that has `value` after `epoch`.

    It continues if it is among the best 1/η of the trials that reached this rung, or the best while they are fewer than
    η. `others` are the values of the other trials by epoch; `every` is the number of epochs between validations.
    """
    if pruner.use == "none" or not rung(epoch, pruner, every):
        return False
    sign = -1 if lower_is_better else 1
    scores = sorted((sign * one for one in (value, *(other[epoch] for other in others if epoch in other))), reverse=True)
    if len(scores) <= pruner.bootstrap_count:
        return True
    return sign * value < scores[max(len(scores) // pruner.reduction_factor, 1) - 1]
