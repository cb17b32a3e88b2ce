"""When a run began and ended, whatever becomes of the wall clock meanwhile."""

from __future__ import annotations

import time

import pytest

from kdbench.runs.began import Began, _steady

pytestmark = pytest.mark.fault("a clock that is set back")

EIGHT = 1738310400.0  # 2025-01-31T08:00:00Z


@pytest.mark.parametrize("step", [-3600.0, 0.0, 3600.0])
def test_a_step_of_the_wall_clock_changes_no_duration(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    began = Began(wall=EIGHT, steady=_steady() - 600.25)
    monkeypatch.setattr(time, "time", lambda: EIGHT + step)
    assert began.started == "2025-01-31T08:00:00Z"
    assert "2025-01-31T08:10:00Z" <= began.finished < "2025-01-31T09:00:00Z"


def test_nothing_ends_before_its_start() -> None:
    began = Began(wall=EIGHT, steady=_steady() + 1000.0)
    assert began.finished == began.started


def test_it_begins_now() -> None:
    began = Began()
    assert began.started == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began.wall))
    assert began.started <= began.finished
