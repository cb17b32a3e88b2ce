"""Suites laid out as runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench.suite.model import Suite
from kdbench.suite.plan import plan
from kdbench.suite.settings import Evaluate, Latency, Train
from kdbench.suite.spec import PluginSpec, TaskDataset, TermSpec


def plugged(*names: str) -> list[PluginSpec]:
    return [PluginSpec(name=name, use=name) for name in names]


def suite_of(seeds: int, datasets: int, students: int, teams: list[list[str]], strategies: int) -> Suite:
    def labels(letter: str, count: int) -> list[PluginSpec]:
        return plugged(*(f"{letter}{i}" for i in range(count)))

    return Suite(
        path=Path("suite.yaml"),
        name="grid",
        task=PluginSpec(name="retrieval", use="retrieval"),
        seeds=list(range(seeds)),
        datasets=labels("d", datasets),
        students=labels("s", students),
        teachers={teacher.name: teacher for teacher in labels("t", 4)},
        references=[],
        teams=teams,
        strategies=labels("w", strategies),
        objective=[TermSpec(name="o", use="o")],
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
        assert (run.objective == ()) == (not run.team)
        assert run.train is not None
        assert run.train.distill == (1.0 if run.team else 0.0)


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
        "pebble · no distillation · seed 0",
        "pebble · a · seed 0",
        "pebble · a+b · equal · seed 0",
        "pebble · a+b · ammkd · seed 0",
    ]
    assert runs[2].team[1].model_dump(exclude={"defaults", "version", "versions"}) == {
        "name": "b",
        "use": "lens",
        "params": {"focal": 50.0, "coated": False},
    }
    params = {"C": 0.6, "normalize": "none", "space": "embedding"}
    assert runs[3].strategy == PluginSpec(name="ammkd", use="ammkd", params=params, defaults=params)
    assert runs[3].train == Train(epochs=2, batch_size=8)
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


def test_variants_are_run_in_place_of_the_suite() -> None:
    """Seeds stay outermost, and the name of a variant is part of what a run is."""
    base = suite_of(2, 1, 1, [["t0", "t1"]], 2)
    one = base.model_copy(update={"strategies": plugged("w0")})
    varied = base.model_copy(update={"variants": {"full": base, "one": one}})
    runs = plan(varied)
    assert [(run.seed, run.variant) for run in runs] == [(s, v) for s in (0, 1) for v in ("full", "full", "one")]
    assert len({run.run_id for run in runs}) == len(runs)
    assert runs[0].label.startswith("full · s0 · ")


def test_transfer_runs_follow_the_runs_whose_students_they_evaluate() -> None:
    """Each dataset but the one trained on; ids of the other runs stay."""
    plain = suite_of(2, 2, 1, [[], ["t0", "t1"]], 1).model_copy(update={"references": ["t0"]})
    task, other = PluginSpec(name="zero_shot", use="zero_shot"), PluginSpec(name="retrieval", use="retrieval")
    [second, far] = plugged("d1", "far")
    suite = plain.model_copy(update={"also": [TaskDataset(task=other, dataset=second), TaskDataset(task=task, dataset=far)]})
    runs = plan(suite)
    kept = [run for run in runs if run.trained_on is None]
    assert [run.run_id for run in kept] == [run.run_id for run in plan(plain)]
    transfers = [run for run in runs if run.trained_on is not None]
    assert len({run.run_id for run in runs}) == len(runs)
    assert len(transfers) == 2 * 2 * 3 + 3  # seeds × rows × pairs of datasets; references once
    for run in transfers:
        assert run.trained_on is not None
        assert (run.dataset.name, run.trained_on.dataset.name) in (("d1", "d0"), ("far", "d0"), ("far", "d1"))
        assert run.task.use == ("zero_shot" if run.dataset.name == "far" else "retrieval")
        assert run.training in kept
        assert runs.index(run.training) < runs.index(run)
    assert [run.seed for run in runs if not run.reference] == sorted(run.seed for run in runs if not run.reference)


@given(small, small, st.integers(3, 5), teams_of_four, small)
def test_folds_multiply_runs_and_not_cells(
    seeds: int, students: int, folds: int, teams: list[list[str]], strategies: int
) -> None:
    suite = suite_of(seeds, 1, students, teams, strategies)
    plain, runs = plan(suite), plan(suite.model_copy(update={"folds": folds, "references": ["t1"]}))
    references, trained = runs[:folds], runs[folds:]
    assert [(run.label, run.fold.index if run.fold else None) for run in references] == [
        (f"t1 · teacher itself · fold {index + 1}/{folds}", index) for index in range(folds)
    ]
    assert len({run.cell_id for run in references}) == 1
    assert len(trained) == len({run.run_id for run in trained}) == folds * len(plain)
    assert len({run.cell_id for run in trained}) == len({run.cell_id for run in plain})
    turns = [(run.seed, run.fold.index if run.fold else None) for run in trained]
    assert turns == sorted(turns)
    assert not {run.run_id for run in plain} & {run.run_id for run in trained}
    assert not {run.cell_id for run in plain} & {run.cell_id for run in trained}
