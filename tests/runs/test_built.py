"""Recipes of several stages, from a suite to records: RL-KD's three and PUMA's two; what stages share is built once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdbench.plugins.building import building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.files import find_records, read_trace, record_path
from kdbench.records.protocol import Protocol
from kdbench.records.verify import verify
from kdbench.runs.built import Terms, built_stages
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.settings import StageSettings
from kdbench.suite.spec import RunSpec, StageSpec
from kdbench.training.team import Team
from kdbench_plugins.objectives import mac, self_distill
from kdbench_plugins.strategies import rl_select
from tests.support.made_records import edit
from tests.support.toys import plugged, run_context, run_spec, term, toy_plugins

HEAD = """\
name: staged
datasets: [beads]
students: [toy]
teachers: {a: {use: sage, width: 11}, b: {use: sage, width: 12, seed: 1}}
evaluate: {recall_at: [1, 5]}
"""
RL_KD = """\
teams: [[], [a], [a, b]]
strategies: [equal, {use: rl_select, warmup: 0.0, pretrain: 0.0}]
objective: [relational_kl, feature]
train:
  batch_size: 8
  lr: 0.02
  stages: [{epochs: 1, strategy: equal}, {epochs: 1, lr_scale: {"*": 0.0}}, {epochs: 2}]
"""
PUMA = """\
teams: [[a]]
objective: [mac]
train:
  batch_size: 8
  stages: [{epochs: 2, objective: [self_distill]}, {epochs: 1, lr: 1e-4, warmup: 0.0, task: 0.0}]
"""


def plugins_of_recipes() -> Plugins:
    found = toy_plugins()
    for module in (rl_select, self_distill, mac):
        found.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    return found


def runs_of(folder: Path, text: str) -> tuple[list[RunSpec], RunContext]:
    path = folder / "staged.yaml"
    path.write_text(HEAD + text)
    context = RunContext(plugins_of_recipes(), Cache(folder / "cache"), folder / "results")
    return plan(load_suite(path, context.plugins, deep=True)), context


@pytest.mark.parametrize(("text", "stages"), [(RL_KD, [1, 2, 3, 3]), (PUMA, [1, 1, 2])], ids=["rl-kd", "puma"])
def test_a_recipe_of_stages_runs_as_a_suite(tmp_path: Path, text: str, stages: list[int]) -> None:
    """All rows have one budget and share a table; records are valid and show the stages."""
    specs, context = runs_of(tmp_path, text)
    records = [execute(spec, context) for spec in specs]
    assert [record.reason for record in records] == [""] * len(specs)
    assert len({Protocol.of(record).id for record in records}) == 1
    assert str(Protocol.of(records[0]).budget) == f"{len(stages)} epochs, {4 * len(stages)} steps of 8 samples"
    last = stages.index(stages[-1]) + 1
    for record in records:
        trace = read_trace(record_path(context.results, "staged", record.run_id))
        assert trace.stage == list(np.repeat(stages, 4))
        assert record.best_epoch is not None
        assert last <= record.best_epoch <= len(stages)
    found, problems = verify(find_records([context.results]), plugins=context.plugins)
    assert (len(found), problems) == (len(records), [])


def test_a_stage_that_states_nothing_changes_nothing(tmp_path: Path) -> None:
    """To the last bit, though it is another run."""
    plain, staged = run_spec(strategy=plugged("ammkd")), run_spec(strategy=plugged("ammkd"), stages=(StageSpec(),))
    records = [execute(spec, run_context(tmp_path)) for spec in (plain, staged)]
    assert records[0].arrays_sha256 == records[1].arrays_sha256
    assert records[0].trace_sha256 == records[1].trace_sha256
    assert records[0].run_id != records[1].run_id


def test_a_record_of_a_best_epoch_before_the_last_stage_is_a_problem(tmp_path: Path) -> None:
    stages = (StageSpec(), StageSpec(settings=StageSettings(epochs=1)))
    context = run_context(tmp_path)
    path = record_path(context.results, "toys", execute(run_spec(stages=stages), context).run_id)
    edit(path, lambda record: record.update(best_epoch=3))
    _, problems = verify([path], plugins=context.plugins)
    assert [problem for problem in problems if "4 to 4, the last stage's epochs" in str(problem)]


def test_what_stages_share_is_built_once() -> None:
    """Equal objectives share heads, equal strategies share what they have learned."""
    made: list[Terms] = []

    def team_of(terms: Terms) -> Team | None:
        made.append(terms)
        return Team([], terms, 8, 0, "cpu")

    own = StageSpec(objective=(term("feature"),), strategy=plugged("random"))
    spec = run_spec(strategy=plugged("ammkd"), stages=(StageSpec(), own, StageSpec(strategy=plugged("ammkd")), own))
    with building_with(toy_plugins()):
        first, second, third, fourth = built_stages(spec, team_of)
    assert first.team is third.team is not second.team is fourth.team
    assert first.strategy is third.strategy is not second.strategy is fourth.strategy
    assert len(made) == 2


def test_stages_are_rehearsed(tmp_path: Path) -> None:
    """An error of the second stage is told before teachers are computed."""
    wrong = StageSpec(settings=StageSettings(lr_scale={"vision.*": 0.0}))
    with pytest.raises(Exception, match=r"train\.stages\[1\]\.lr_scale: found 'vision\.\*'"):
        rehearse(run_spec(stages=(StageSpec(), wrong)), run_context(tmp_path))


def test_parts_of_stages_are_parts_of_the_run(tmp_path: Path) -> None:
    own = StageSpec(objective=(term("feature"),), strategy=plugged("random"))
    parts = run_context(tmp_path).parts(run_spec(stages=(own, StageSpec())), fresh=True)
    assert {"stage 1 objective 0 feature", "stage 1 strategy random"} <= parts.keys()
