"""`rl_select` over whole runs with trained teachers: one is wrong about everything, or each about a half of the concepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Offer, Signal
from kdbench.records.files import read_trace, record_path
from kdbench.records.trace import Trace
from kdbench.runs.execute import execute
from kdbench.storage.cache import Cache
from kdbench.suite.spec import PluginSpec
from kdbench_plugins.strategies.rl_policy import selection_probs
from kdbench_plugins.strategies.rl_select import RlSelect
from kdbench_plugins.teachers import label_shuffled, trained
from tests.support.toys import Beads, plugged, run_context, run_spec, term

BEADS: dict[str, Any] = {"train": 400, "validation": 40, "test": 40}
EXPERT: dict[str, Any] = {"use": "trained", "student": {"use": "toy", "width": 16}, "epochs": 40, "batch_size": 16, "lr": 0.02}
TEACHERS = [*label_shuffled.kdbench_teachers(), *trained.kdbench_teachers()]


class Watched(RlSelect):
    """Remembers which captions the policy saw in each of the last steps, and with what probabilities it selected, [T, B]."""

    seen: list[tuple[list[int], Tensor]] = []  # of the class, as the run builds its own instance

    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        if self.policy is not None:
            probs = selection_probs(*self.policy, self.pending["features"])
            self.seen.append((signal.batch.captions.tolist(), probs))
        return weights


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """The teachers are trained once for all seeds of students: that takes the most time by far."""
    return Cache(tmp_path_factory.mktemp("teachers"))


def trained_with(team: list[PluginSpec], folder: Path, cache: Cache, seed: int) -> Trace:
    """The trace of a run with `relational_kl` alone."""
    Watched.seen.clear()
    where = replace(run_context(folder, teachers=TEACHERS, strategies=[Offer("watched", Watched)]), cache=cache)
    spec = run_spec(
        team,
        plugged("watched"),
        seed,
        dataset=plugged("beads", **BEADS),
        objective=(term("relational_kl"),),
        train={"epochs": 10, "batch_size": 32, "lr": 0.01},
    )
    record = execute(spec, where)
    assert (record.status, record.reason) == ("ok", "")
    return read_trace(record_path(where.results, spec.suite, spec.run_id))


def expert(name: str) -> PluginSpec:
    return plugged(EXPERT["use"], name, **{key: value for key, value in EXPERT.items() if key != "use"})


@pytest.mark.parametrize("seed", [0, 1])
def test_a_label_shuffled_teacher_is_found_out(seed: int, tmp_path: Path, cache: Cache) -> None:
    team = [expert("good"), plugged("label_shuffled", "bad", teacher=EXPERT)]
    report = trained_with(team, tmp_path, cache, seed).report
    good, bad = report["P(good)"][-1], report["P(bad)"][-1]
    assert good is not None
    assert bad is not None
    assert good - bad > 0.3
    torch.testing.assert_close(Watched.seen[-1][1].mean(dim=1)[0].item(), good, rtol=0, atol=0.1)


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_find_the_half_expert_that_knows_them(seed: int, tmp_path: Path, cache: Cache) -> None:
    """Each half-expert is wrong about a half of the concepts of its own; a sample counts where one of the two is right."""
    draws = (0, 1)
    trained_with(
        [plugged("label_shuffled", f"half{draw}", teacher=EXPERT, share=0.5, seed=draw) for draw in draws],
        tmp_path,
        cache,
        seed,
    )
    split = Beads(**BEADS).split("train")
    read = [label_shuffled.exchanged(split.captions, split.caption_concepts.tolist(), 0.5, draw) for draw in draws]
    right = torch.tensor([[instead[caption] == caption for caption in split.captions] for instead in read])
    gaps: list[list[float]] = [[], []]
    for captions, probs in Watched.seen[-12:]:  # the last epoch
        for knows, (first, second) in zip(right[:, captions].T.tolist(), probs.T.tolist(), strict=True):
            if knows == [True, False]:
                gaps[0].append(first - second)
            elif knows == [False, True]:
                gaps[1].append(second - first)
    for gap in gaps:
        assert len(gap) > 50
        assert sum(gap) / len(gap) > 0.3
