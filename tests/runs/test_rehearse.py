"""A run's plugins are tried on a few samples before its teachers are computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Offer, PluginError, Signal, TeacherData, Towers
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Sage, plugged, run_context, run_spec, term, toy


class Untouchable(Sage):
    """A teacher that costs hours."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        raise AssertionError("a teacher was prepared")


class Numpy(Equal):
    def weigh(self, signal: Signal) -> Any:
        return super().weigh(signal).numpy()


class Halved(Equal):
    def weigh(self, signal: Signal) -> Tensor:
        return super().weigh(signal) / 2


def unscaled() -> Any:
    student: Any = toy()
    del student.module.logit_scale
    return student


OFFERS: dict[str, Any] = {
    "teachers": [Offer("untouchable", Untouchable)],
    "strategies": [Offer("numpy", Numpy), Offer("halved", Halved)],
    "students": [Offer("unscaled", unscaled)],
}
TEAM = (plugged("untouchable", "a"), plugged("untouchable", "b"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"strategy": plugged("numpy")},
            r"Numpy\.weigh: found numpy\.ndarray, float32 of shape \[2\], expected a torch tensor",
        ),
        ({"strategy": plugged("halved")}, r"Halved\.weigh: found \[0\.25, 0\.25\], expected a sum of 1"),
        ({"student": plugged("unscaled")}, r"TwoTowers\.logit_scale: found nothing"),
    ],
)
def test_a_fault_is_found_before_any_teacher_is_prepared(changes: dict[str, Any], error: str, tmp_path: Path) -> None:
    context = run_context(tmp_path, **OFFERS)
    with pytest.raises(PluginError, match=error):
        rehearse(run_spec(TEAM, **changes), context)
    assert not context.cache.root.exists()
    record = execute(run_spec(**changes), context)  # without a rehearsal: the same error, in the run
    assert record.status == "failed"
    with pytest.raises(PluginError, match=error):
        raise PluginError(record.reason)


@pytest.mark.parametrize("team", [(), TEAM[:1], TEAM, (*TEAM, plugged("untouchable", "c"))])
@pytest.mark.parametrize("strategy", ["equal", "ammkd"])
def test_what_is_right_leaves_no_trace(team: Any, strategy: str, tmp_path: Path) -> None:
    """Neither in the cache nor in the random numbers of a run that follows in this process."""
    context = run_context(tmp_path, **OFFERS)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    rehearse(
        run_spec(team, strategy=plugged(strategy), objective=(term("relational_kl"), term("feature")) if team else ()), context
    )
    assert torch.get_rng_state().equal(before)
    assert not context.cache.root.exists()
    assert not context.results.exists()
