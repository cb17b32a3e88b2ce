"""Successive halving, against Optuna's own."""

from __future__ import annotations

from typing import Any

import optuna
from hypothesis import given
from hypothesis import strategies as st

from kdbench.suite.sweep import Pruner
from kdbench.tuning.halving import prunes, rung

EPOCHS = 12
curves = st.lists(st.lists(st.floats(0, 100), min_size=EPOCHS, max_size=EPOCHS), min_size=1, max_size=14)


@given(curves, st.integers(1, 4), st.integers(2, 4), st.integers(0, 1), st.integers(0, 2), st.booleans())
def test_it_decides_as_optuna_does(
    values: list[list[float]], first: int, factor: int, left_out: int, bootstrap: int, lower: bool
) -> None:
    """One trial after the other, each until it is pruned or has ended."""
    settings: dict[str, Any] = {
        "min_resource": first,
        "reduction_factor": factor,
        "min_early_stopping_rate": left_out,
        "bootstrap_count": bootstrap,
    }
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="minimize" if lower else "maximize", pruner=optuna.pruners.SuccessiveHalvingPruner(**settings)
    )
    before: list[dict[int, float]] = []
    for curve in values:
        trial = study.ask()
        own: dict[int, float] = {}
        ended = False
        for epoch, value in enumerate(curve, start=1):
            own[epoch] = value
            trial.report(value, epoch)
            expected = trial.should_prune()
            assert prunes(epoch, value, before, Pruner(**settings), 1, lower) == expected
            assert prunes(epoch, value, before, Pruner(**settings), 1, lower) == expected  # the same, asked again
            if expected:
                ended = True
                break
        before.append(own)
        study.tell(trial, None if ended else own[EPOCHS], optuna.trial.TrialState.PRUNED if ended else None)


@given(st.integers(1, 9), st.integers(2, 4), st.integers(1, 6))
def test_rungs_are_epochs_that_are_validated(first: int, factor: int, every: int) -> None:
    found = [epoch for epoch in range(1, 200) if rung(epoch, Pruner(min_resource=first, reduction_factor=factor), every)]
    assert found
    assert all(epoch % every == 0 and epoch >= first for epoch in found)
    wanted = [max(first, every) * factor**place for place in range(len(found))]
    assert all(0 <= epoch - step < every for epoch, step in zip(found, wanted, strict=True))


def test_without_a_pruner_nothing_is_pruned() -> None:
    assert not prunes(1, 0.0, [{1: 50.0}] * 9, Pruner(use="none"), 1)
    assert prunes(1, 0.0, [{1: 50.0}] * 9, Pruner(), 1)
    assert not prunes(1, 0.0, [{1: 50.0}] * 9, Pruner(), 1, lower_is_better=True)
