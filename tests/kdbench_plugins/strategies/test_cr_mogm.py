"""`cr_mogm` against TorchJD's own CRMOGMWeighting and the recursion written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import CRMOGMWeighting, MGDAWeighting

from kdbench import PluginError
from kdbench.testing.retrieval.signals import Course, drive
from kdbench_plugins.strategies.confidence import Confidence
from kdbench_plugins.strategies.cr_mogm import CrMogm
from kdbench_plugins.strategies.torchjd_weightings import mgda
from kdbench_plugins.strategies.whiten_mtd import WhitenMtd

COURSE = Course(3, steps=3)


def smoothed(weights: list[Tensor], alpha: float) -> list[Tensor]:
    found = weights[:1]
    for now in weights[1:]:
        found.append(alpha * found[-1] + (1 - alpha) * now)
    return found


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 1.0])
def test_weights_are_the_moving_average(alpha: float) -> None:
    found = drive(lambda: CrMogm(strategy={"use": "torchjd:mgda"}, alpha=alpha), COURSE)
    for weights, expected in zip(found, smoothed(drive(mgda, COURSE), alpha), strict=True):
        torch.testing.assert_close(weights, expected)


def test_weights_are_the_librarys_on_the_gramian() -> None:
    theirs = CRMOGMWeighting(MGDAWeighting(), alpha=0.7)
    for step, weights in enumerate(drive(lambda: CrMogm(strategy={"use": "torchjd:mgda"}, alpha=0.7), COURSE)):
        gramian = COURSE.signal(step).gramian
        torch.testing.assert_close(weights, theirs(gramian / gramian.diagonal().mean()).to(weights))


def test_weights_per_sample_are_averaged_over_the_batch() -> None:
    found = drive(lambda: CrMogm(strategy={"use": "confidence"}), COURSE)
    expected = smoothed([weights.mean(dim=1) for weights in drive(Confidence, COURSE)], 0.9)
    for weights, then in zip(found, expected, strict=True):
        torch.testing.assert_close(weights, then)


def test_weights_per_pair_are_averaged_over_the_batch() -> None:
    found = drive(lambda: CrMogm(strategy={"use": "whiten_mtd"}), COURSE)
    expected = smoothed([weights.mean(dim=(1, 2)) for weights in drive(WhitenMtd, COURSE)], 0.9)
    for weights, then in zip(found, expected, strict=True):
        torch.testing.assert_close(weights, then)


def test_what_the_strategy_has_is_passed_on_and_nothing_else() -> None:
    """`observe_after` costs a forward pass: only a strategy that reads it may have it."""
    famo, equal, raw = (CrMogm(strategy=inner) for inner in ({"use": "famo"}, {"use": "equal"}, {"use": "teacher_dropping"}))
    assert hasattr(famo, "observe_after")
    assert not hasattr(equal, "observe_after")
    assert (raw.raw, equal.raw) == (True, False)
    found, plain = (
        drive(lambda use=use: CrMogm(strategy={"use": use}, alpha=0.0), Course(2))[-1]  # type: ignore[misc]
        for use in ("famo", "loss_value")
    )
    assert not torch.allclose(found, plain)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(PluginError, match="nothing_like_it"):
        CrMogm(strategy={"use": "nothing_like_it"})
