"""The models of two rows that are compared."""

from __future__ import annotations

from pathlib import Path

from kdbench.deploy.gallery.of_pair import look_at_pair, of_one_seed
from kdbench.records.reading import read_measured
from kdbench.reports.gallery.of_pair import pair_card
from kdbench.runs.execute import execute
from kdbench.statistics import explain
from kdbench.statistics.splits import split_of
from kdbench.storage.cache import Cache
from kdbench.suite.spec import Fold
from tests.support.gallery_runs import trained
from tests.support.toys import run_context, run_spec


def test_each_query_has_its_split_and_both_models() -> None:
    runs = trained()
    listed = runs.runs
    a, b = [listed["equal 0"], listed["equal 1"]], [listed["b"]]
    units = read_measured([runs.context.results], runs.context.plugins).units
    found = explain(a, b)
    of, notes = look_at_pair(found, a, b, units, runs.context.plugins, runs.context.cache)
    assert notes == ["outputs of A and B are of seed 0; ✓ marks what is right"]
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


def test_queries_of_a_fold_are_shown_of_that_fold(tmp_path: Path) -> None:
    context = run_context(tmp_path)
    specs = [run_spec(team, seed=0).replace(fold=Fold(index=index, of=3)) for team in (["a"], []) for index in range(3)]
    ids = [execute(spec, context).run_id for spec in specs]
    reading = read_measured([context.results], context.plugins)
    runs = {run.record.run_id: run for run in reading.runs}
    a, b = [runs[one] for one in ids[:3]], [runs[one] for one in ids[3:]]
    found = explain(a, b, split_of(a, reading.units)[1], most=40)
    listed = found.gained + found.lost
    assert {query.fold for query in listed} == {0, 1, 2}
    of, notes = look_at_pair(found, a, b, reading.units, context.plugins, context.cache)
    assert notes == ["outputs of A and B are of seed 0; ✓ marks what is right"]
    for query in listed:
        card = pair_card(query, of(query))
        assert query.fold is not None
        assert card.title == f"fold {query.fold + 1} · {query.of.label} {query.of.query} {query.index}"
        for answer, rank in zip(card.answers, (query.a, query.b), strict=True):
            first = next((place for place, one in enumerate(answer.top, 1) if one.right), None)
            assert first == (rank if rank <= len(answer.top) else None)
