"""A run's plugins are tried on a few samples before its teachers are computed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import Offer, PluginError, Signal, Skip, TeacherData, Towers
from kdbench.plugins.loading import Plugins
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Sage, Toy, Toys, TwoTowers, plugged, run_context, run_spec, term, toy


class Untouchable(Sage):
    """A teacher that costs hours."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        raise AssertionError("a teacher was prepared")


class Blind(Untouchable):
    lacks = "image"


class Trusting(Equal):
    """Does not say that it needs both towers of each teacher."""

    def weigh(self, signal: Signal) -> Tensor:
        return (-signal.truth_losses).softmax(dim=0)


class Normed(TwoTowers):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.norm = nn.BatchNorm1d(width)

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.norm(super().encode_image(images)), dim=1)


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
    "teachers": [Offer("untouchable", Untouchable), Offer("blind", Blind)],
    "strategies": [Offer("numpy", Numpy), Offer("halved", Halved), Offer("trusting", Trusting)],
    "students": [Offer("unscaled", unscaled), Offer("normed", lambda: Toy(Normed(8), 8))],
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


def test_towers_that_teachers_lack_are_lacking_in_a_rehearsal(tmp_path: Path) -> None:
    context = run_context(tmp_path, **OFFERS)
    team, within = (TEAM[0], plugged("blind", "b")), (term("feature"),)
    rehearse(run_spec(team, objective=within), context)
    with pytest.raises(PluginError, match=r"found no image tower; expected both towers"):
        rehearse(run_spec(team, objective=within, strategy=plugged("trusting")), context)


@pytest.mark.parametrize("micro_batch", [None, 1, 4, 64])
def test_what_does_not_matter_in_the_run_is_not_told(micro_batch: int | None, tmp_path: Path) -> None:
    """A rehearsal has other batches, made-up widths and a CPU. Pieces of one sample are the run's own fault."""
    train = {"batch_size": 64, "micro_batch": micro_batch, "compile": True}
    spec = run_spec(TEAM, student=plugged("normed"), objective=(term("feature", head="none"),), train=train)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if micro_batch == 1:
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                rehearse(spec, run_context(tmp_path, **OFFERS))
        else:
            rehearse(spec, run_context(tmp_path, **OFFERS))


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


# Those of the toys' task; of the toys nothing but outputs can be read.
OBJECTIVES = [name for name, one in sorted(ALL.offers("objective").items()) if one.offer.task == "retrieval"]
READING = ("feature_alignment", "frequency")


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in READING])
def test_no_first_party_objective_is_called_broken(name: str, tmp_path: Path) -> None:
    if ALL.find("objective", name).provider.startswith("kdbench:"):
        rehearsed(tmp_path, objective=(term(name, 1.0, **ALL.find("objective", name).offer.example),))
