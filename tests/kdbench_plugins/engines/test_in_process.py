"""Execution in the calling process, as `kdbench run --debug` does."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kdbench import Offer, Signal
from kdbench.contracts import Event, Site, Work
from kdbench.engines.messages import ExecuteRun, Finished, Rehearse, Started, Warned
from kdbench.errors import KdbenchWarning
from kdbench.plugins import loading
from kdbench_plugins.engines.in_process import InProcess
from tests.support.toys import plugged, run_spec, toy_plugins

PROCESSES: set[int] = set()


class Watched:
    """A strategy that notes its process and warns."""

    def weigh(self, signal: Signal) -> Tensor:
        PROCESSES.add(os.getpid())
        warnings.warn(f"weighed at {signal.batch.progress:.2f}", KdbenchWarning, stacklevel=1)
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


def test_a_run_is_executed_in_this_process_and_its_warnings_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning is an event, and the receiver of the event warns again: without a loop."""
    plugins = toy_plugins(strategies=[Offer("watched", Watched)])
    monkeypatch.setattr(loading, "installed", lambda: plugins)
    spec = run_spec(strategy=plugged("watched"))
    heard: list[tuple[Work, Event]] = []

    def on_event(work: Work, event: Event) -> None:
        heard.append((work, event))
        if isinstance(event, Warned):
            warnings.warn(event.message, KdbenchWarning, stacklevel=1)

    PROCESSES.clear()
    before = warnings.showwarning
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        InProcess().execute([Rehearse(spec=spec), ExecuteRun(spec=spec)], Site(tmp_path / "r", tmp_path / "c", "cpu"), on_event)
    assert warnings.showwarning is before
    assert {os.getpid()} == PROCESSES
    assert [type(event) for _, event in heard].count(Started) == 2
    [finished] = [event for _, event in heard if isinstance(event, Finished)]
    assert (finished.record.status, finished.record.reason) == ("ok", "")
    assert sum("weighed at 0.50" in str(one.message) for one in told) >= 1
