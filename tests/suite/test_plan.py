"""Suites laid out as runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.plugins.loading import Plugins
from kdbench.storage.digest import digest_of
from kdbench.suite.check import load_suite
from kdbench.suite.model import Evaluate, Latency, Plugged, Suite, Term, Train
from kdbench.suite.plan import RunSpec, plan

Spec = Callable[..., RunSpec]


def plugged(*names: str) -> list[Plugged]:
    return [Plugged(name=name, use=name, params={}) for name in names]


def suite_of(seeds: int, datasets: int, students: int, teams: list[list[str]], strategies: int) -> Suite:
    def labels(letter: str, count: int) -> list[Plugged]:
        return plugged(*(f"{letter}{i}" for i in range(count)))

    return Suite(
        path=Path("suite.yaml"),
        name="grid",
        seeds=list(range(seeds)),
        datasets=labels("d", datasets),
        students=labels("s", students),
        teachers={teacher.name: teacher for teacher in labels("t", 4)},
        references=[],
        teams=teams,
        strategies=labels("w", strategies),
        objective=[Term(name="o", use="o", params={}, coefficient=1.0)],
        train=Train(),
        evaluate=Evaluate(),
        latency=Latency(),
    )


teams_of_four = st.lists(
    st.lists(st.sampled_from(["t0", "t1", "t2", "t3"]), unique=True).map(sorted), min_size=1, unique_by=tuple
)
small = st.integers(1, 3)


@given(small, small, small, teams_of_four, small)
def test_size_of_the_grid(seeds: int, datasets: int, students: int, teams: list[list[str]], strategies: int) -> None:
    runs = plan(suite_of(seeds, datasets, students, teams, strategies))
    assert len(runs) == seeds * datasets * students * sum(strategies if len(team) > 1 else 1 for team in teams)
    assert len({run.run_id for run in runs}) == len(runs)
    assert len({run.cell_id for run in runs}) == len(runs) / seeds


@given(small, teams_of_four, small)
def test_strategies_are_for_two_and_objectives_for_one(seeds: int, teams: list[list[str]], strategies: int) -> None:
    for run in plan(suite_of(seeds, 1, 1, teams, strategies)):
        assert (run.strategy is None) == (len(run.team) < 2)
        assert (run.objective == []) == (not run.team)
        assert run.train["distill"] == (1.0 if run.team else 0.0)


def test_seeds_come_outermost() -> None:
    runs = plan(suite_of(2, 1, 2, [[], ["t0", "t1"]], 2))
    assert [run.seed for run in runs] == [0] * 6 + [1] * 6
    assert [run.cell_id for run in runs[:6]] == [run.cell_id for run in runs[6:]]


def test_a_run_without_teachers_is_one_row_whatever_teaches_the_others() -> None:
    """Its id is that of the same suite with another objective, other strategies and another λ."""
    one = suite_of(1, 1, 1, [[]], 2)
    other = one.model_copy(
        update={"objective": [], "strategies": plugged("else"), "train": Train(distill=0.25), "teachers": {}}
    )
    assert [run.run_id for run in plan(one)] == [run.run_id for run in plan(other)]


def test_the_tiny_suite(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    runs = plan(load_suite(suite_file(), plugins))
    assert [run.label for run in runs[:4]] == [
        "pebble · no teacher · seed 0",
        "pebble · a · seed 0",
        "pebble · a+b · equal · seed 0",
        "pebble · a+b · ammkd · seed 0",
    ]
    assert runs[2].team[1] == {"name": "b", "use": "lens", "params": {"focal": 50.0, "coated": False}}
    params = {"C": 0.6, "normalize": "none", "space": "embedding"}
    assert runs[3].strategy == {"name": "ammkd", "use": "ammkd", "params": params}
    assert runs[3].train == Train(epochs=2, batch_size=8).model_dump()
    assert len(runs) == 8


def test_what_is_spelt_out_is_what_is_left_out(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    """Defaults, shorthands, the order of keys and 1 for 1.0 make no other run."""
    spelt_out = suite_file(
        ("- use: shapes", "- {folder: here, colours: 3, use: shapes, name: shapes}"),
        ("- use: pebble", "- {shade: grey, use: pebble, width: 8}"),
        ("{use: lens, focal: 35.0}", "{focal: 35, use: lens, coated: false}"),
        ("- equal", "- {use: equal}"),
        ("{use: cosine}", "{use: cosine, coefficient: 1, power: 1}"),
        ("{epochs: 2, batch_size: 8}", "{batch_size: 8, lr: 1e-3, epochs: 2, weight_decay: .1}"),
    )
    runs = [run.run_id for run in plan(load_suite(spelt_out, plugins))]
    assert runs == [run.run_id for run in plan(load_suite(suite_file(), plugins))]


def test_the_id_of_a_literal_spec_is_pinned(spec: Spec) -> None:
    """If this changes, no record that was ever published is found again; raise SPEC_VERSION only for a reason."""
    assert spec().run_id == "b7606bb6a8a6"
    assert spec().cell_id == "315e46078203"


def test_ids_survive_json(spec: Spec) -> None:
    """Workers get their spec as JSON."""
    there = RunSpec(**json.loads(json.dumps(spec().as_dict())))
    assert (there.run_id, there.cell_id) == (spec().run_id, spec().cell_id)


MATTERS = {
    "suite": "other",
    "dataset.name": "circles",
    "dataset.params.colours": 4,
    "student.name": "rock",
    "student.params.width": 16,
    "team.0.params.focal": 36.0,
    "team.1.name": "c",
    "strategy.use": "random",
    "strategy.params.C": 0.5,
    "objective.0.coefficient": 2.0,
    "objective.0.params.power": 2.0,
    "train.epochs": 3,
    "train.batch_size": 16,
    "train.lr": 2e-3,
    "train.distill": 0.5,
    "evaluate.recall_at.1": 10,
    "evaluate.every": 2,
    "version": 2,
}


def changed(spec: RunSpec, path: str, value: Any) -> RunSpec:
    fields: Any = deepcopy(spec.as_dict())
    part = fields
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    for step in steps:
        part = part[step]
    part[last] = value
    return RunSpec(**fields)


def test_ids_tell_apart_what_matters(spec: Spec) -> None:
    others = [changed(spec(), path, value) for path, value in MATTERS.items()]
    swapped = spec(team=spec().team[::-1])
    everyone = [spec(), swapped, *others]
    assert len({run.run_id for run in everyone}) == len({run.cell_id for run in everyone}) == len(everyone)


def test_seeds_share_a_cell(spec: Spec) -> None:
    assert spec(seed=1).run_id != spec().run_id
    assert spec(seed=1).cell_id == spec().cell_id


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("setting", ["checkpoint_every", "devices"])
def test_checkpoints_and_devices_make_no_other_run(setting: str, every: int, spec: Spec) -> None:
    other = changed(spec(), f"train.{setting}", every)
    assert (other.run_id, other.cell_id) == (spec().run_id, spec().cell_id)


def test_variants_are_run_in_place_of_the_suite() -> None:
    """Seeds stay outermost, and the name of a variant is part of what a run is."""
    base = suite_of(2, 1, 1, [["t0", "t1"]], 2)
    one = base.model_copy(update={"strategies": plugged("w0")})
    varied = base.model_copy(update={"variants": {"full": base, "one": one}})
    runs = plan(varied)
    assert [(run.seed, run.variant) for run in runs] == [(s, v) for s in (0, 1) for v in ("full", "full", "one")]
    assert len({run.run_id for run in runs}) == len(runs)
    assert runs[0].label.startswith("full · s0 · ")


def test_what_a_run_does_not_have_leaves_its_id_as_it_was_before_there_were_any() -> None:
    (run, *_) = plan(suite_of(1, 1, 1, [[]], 1))
    train = {key: value for key, value in run.train.items() if key not in ("checkpoint_every", "devices")}
    known = {key: value for key, value in run.as_dict().items() if key not in ("variant", "role", "smoke", "tuning")}
    known["train"] = train
    assert run.run_id == digest_of(known)[:12]
    plain = RunSpec(**known)
    assert (plain.variant, plain.role, plain.smoke, plain.tuning) == ("", "", False, None)
    assert replace(plain, tuning={"split": "validation", "trials": 12}).run_id != plain.run_id
