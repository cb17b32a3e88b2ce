"""Asynchronous successive halving (Li et al., MLSys 2020), as a function of what trials have reported and of nothing else.

Optuna's pruner notes in a trial that it has been asked at a rung, and does not decide there again: a trial killed between that
and its end would go on where it had been pruned. This one answers the same however often it is asked.
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


def prunes(epoch: int, value: float, others: Iterable[Mapping[int, float]], pruner: Pruner, every: int) -> bool:
    """Whether a trial ends that has `value`, the more the better, after `epoch`.

    It goes on if it is among the best 1/η of those that came so far, or the best as long as they are fewer than η. `others`
    are the values of the other trials by epoch; `every` is how many epochs lie between validations.
    """
    if pruner.use == "none" or not rung(epoch, pruner, every):
        return False
    values = sorted([value, *(other[epoch] for other in others if epoch in other)], reverse=True)
    if len(values) <= pruner.bootstrap_count:
        return True
    return value < values[max(len(values) // pruner.reduction_factor, 1) - 1]
