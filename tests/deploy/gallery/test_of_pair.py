"""The models of two rows that are compared."""

from __future__ import annotations

from pathlib import Path

from kdbench.deploy.gallery.of_pair import look_at_pair, of_one_seed
from kdbench.records.reading import read_measured
from kdbench.statistics import explain
from kdbench.storage.cache import Cache
from tests.support.gallery_runs import trained


def test_each_query_has_its_split_and_both_models() -> None:
    runs = trained()
    listed = runs.runs
    a, b = [listed["equal 0"], listed["equal 1"]], [listed["b"]]
    units = read_measured([runs.context.results], runs.context.plugins).units
    found = explain(a, b)
    of, notes = look_at_pair(found, a, b, units, runs.context.plugins, runs.context.cache)
    assert notes == ["what A and B put on top is of seed 0; ✓ marks what is right"]
    looked = of((found.gained + found.lost)[0])
    assert looked.shown is not None
    assert [model.top is not None for model in looked.models.values()] == [True, True]
    nothing = look_at_pair(explain(a, b, most=0), a, b, units, runs.context.plugins, Cache(Path("none")))
    assert nothing[1] == []


def test_one_seed_is_that_with_weights(tmp_path: Path) -> None:
    runs = trained()
    listed = runs.runs
    equal, random = ([listed[f"{name} {seed}"] for seed in (0, 1)] for name in ("equal", "random"))
    pair = of_one_seed([0, 1], equal, random, runs.context.cache)
    assert [run.seed for run in pair.values()] == [0, 0]
    context = runs.copied(tmp_path)
    gone = [entry for entry in context.cache.entries() if not isinstance(entry, Exception) and entry.kind == "students"]
    context.cache.remove([entry for entry in gone if entry.identity["run_id"] == runs.records["random 0"].run_id])
    assert [run.seed for run in of_one_seed([0, 1], equal, random, context.cache).values()] == [1, 1]
    assert [run.seed for run in of_one_seed([0, 1], equal, random, Cache(tmp_path / "none")).values()] == [0, 0]
    assert of_one_seed([1], [listed["a"]], random, context.cache)["A"] is listed["a"], "a reference has one run"
