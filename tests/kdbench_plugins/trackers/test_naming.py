"""Names of runs and figures."""

from __future__ import annotations

from collections.abc import Callable

from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec
from kdbench_plugins.trackers.naming import epoch_scalars, final_scalars, flat, group_of, hyperparameters


def test_a_group_holds_the_seeds_of_a_cell(spec: Callable[..., RunSpec]) -> None:
    groups = [group_of(spec(seed=seed)) for seed in (0, 1, 12)]
    assert groups == ["tiny · pebble · a+b · equal"] * 3
    assert group_of(spec(variant="narrow")) not in groups
    assert group_of(spec(suite="other")) not in groups


def test_only_validation_metrics_are_called_so() -> None:
    metrics = {"loss": 1.0, "weight/a": 0.25, "weight/validation": 0.75, "rsum": 90.0, "image_retrieval_recall@1": 0.5}
    assert epoch_scalars(metrics) == {
        "loss": 1.0,
        "weight/a": 0.25,
        "weight/validation": 0.75,
        "validation/rsum": 90.0,
        "validation/image_retrieval_recall@1": 0.5,
    }


def test_final_figures_say_where_they_were_measured(spec: Callable[..., RunSpec], record: Callable[..., Record]) -> None:
    ended = record(spec(), rsum=100.0, metrics={"rsum": 100.0}, validation={"rsum": 90.0}, dynamics={"weight_entropy": 0.6})
    assert final_scalars(ended) == {
        "test/rsum": 100.0,
        "best/rsum": 90.0,
        "mean_weight/a": 0.5,
        "mean_weight/b": 0.5,
        "dynamics/weight_entropy": 0.6,
    }


def test_nested_values_have_dotted_names() -> None:
    nested = {"team": [{"name": "a"}, {"name": "b", "params": {"C": 0.6, "steps": [1, 2]}}], "seed": 0, "strategy": None}
    assert flat(nested) == {
        "team.0.name": "a",
        "team.1.name": "b",
        "team.1.params.C": 0.6,
        "team.1.params.steps.0": 1,
        "team.1.params.steps.1": 2,
        "seed": 0,
        "strategy": None,
    }
    assert flat({"team": [], "params": {}}) == {}


def test_hyperparameters_leave_defaults_out(spec: Callable[..., RunSpec]) -> None:
    found = hyperparameters(spec())
    assert found["team.1.params.focal"] == 50.0
    assert found["train.lr"] == 1e-3
    assert not [name for name in found if "defaults" in name]
    mine = spec(strategy={"name": "s", "use": "s", "params": {"defaults": {"C": 1}}})
    assert hyperparameters(mine)["strategy.params.defaults.C"] == 1
    assert hyperparameters(spec(team=[], strategy=None, objective=[]))["strategy"] is None
