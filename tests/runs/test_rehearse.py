"""A run's plugins are tried on a few samples before its teachers are computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Offer, PluginError, Signal, Skip, TeacherData, Towers
from kdbench.plugins.loading import Plugins
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Sage, Toys, plugged, run_context, run_spec, term, toy


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


def everything() -> Plugins:
    """All plugins of this environment, and the toys."""
    found = Plugins().load()
    found.register(Toys(**OFFERS), "tests:toys")
    return found


ALL = everything()


def rehearsed(folder: Path, **changes: Any) -> None:
    """A rehearsal by the example of a plugin; one that cannot be used here skips."""
    try:
        rehearse(run_spec(TEAM, **changes), replace(run_context(folder), plugins=ALL))
    except Skip:
        return


@pytest.mark.parametrize("name", sorted(ALL.offers("strategy")))
def test_no_first_party_strategy_is_called_broken(name: str, tmp_path: Path) -> None:
    if ALL.find("strategy", name).provider.startswith("kdbench:"):
        params = dict(ALL.find("strategy", name).offer.example)
        if "weights" in params:
            params["weights"] = {"a": 2.0, "b": 1.0}
        fused = {"objective": (term("relational_kl"),)} if name == "whiten_mtd" else {}  # which needs one that fuses logits
        rehearsed(tmp_path, strategy=plugged(name, **params), **fused)


@pytest.mark.parametrize("name", sorted(ALL.offers("objective")))
def test_no_first_party_objective_is_called_broken(name: str, tmp_path: Path) -> None:
    if ALL.find("objective", name).provider.startswith("kdbench:"):
        rehearsed(tmp_path, objective=(term(name, 1.0, **ALL.find("objective", name).offer.example),))
