"""Records: those of another format are refused, and those that are published stay what they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.plugins.loading import Kind, installed
from kdbench.plugins.parameters import default_params
from kdbench.records.files import find_records, read_record, recorded, write_record
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import PluginSpec, RunSpec
from tests.support.made_records import edit, made
from tests.support.paths import ROOT
from tests.support.toys import run_spec

SUITES = [
    "adapmtl",
    "ammkd",
    "emoji",
    "emoji-sweep",
    "emoji-views",
    "emtal",
    "eupe",
    "feature-alignment",
    "fusion-of-students",
    "mcad",
    "mh-cvse",
    "mmlora",
    "navier-stokes",
    "okd",
    "puma",
    "rl-kd",
    "strategies",
    "students",
]


@cache
def published(suite: str) -> list[Record]:
    """The records of a suite under results/."""
    return [read_record(path) for path in find_records([ROOT / "results" / suite])]


def test_a_record_of_format_1_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path)
    edit(path, lambda record: record.update(format=1, ranks_sha256=record.pop("arrays_sha256")))
    edit(path, lambda record: record["spec"].pop("task"))
    with pytest.raises(RecordError) as refused:
        read_record(path)
    assert str(refused.value) == f"{path}: not a record: format: found 1; expected 2"
    assert recorded(tmp_path, run_spec()) is None
    records, (problem,) = verify([tmp_path])
    assert (records, problem.path, problem.what, problem.found) == ([], str(path), "not a record: format", "1")
    assert "2" in problem.expected


@pytest.mark.parametrize("suite", SUITES)
def test_a_plan_of_today_has_the_ids_of_the_published_runs(suite: str) -> None:
    """So that nothing published is run again, and further seeds join its rows."""
    planned = {spec.run_id: spec for spec in plan(load_suite(ROOT / "suites" / f"{suite}.yaml", installed()))}
    mine = [record for record in published(suite) if not record.spec.tuning]
    assert mine
    for record in mine:
        assert record.run_id in planned, record.label
        assert recorded(ROOT / "results", planned[record.run_id]) == record


def test_a_published_record_is_written_as_it_was_read(tmp_path: Path) -> None:
    record = published("emoji-views")[0]
    again = read_record(write_record(tmp_path, record))
    assert again == record
    assert Record.model_validate_json(again.model_dump_json()) == again  # as records travel between processes


@pytest.mark.parametrize("suite", [*SUITES, "regimes"])
def test_first_party_defaults_are_those_of_published_runs(suite: str) -> None:
    """A plugin that changes a default, or drops a parameter, raises its version; new parameters need nothing."""
    known = {(kind, one.model_dump_json()): one for record in published(suite) for kind, one in _plugins(record.spec)}
    for (kind, _), plugin in known.items():
        offer = installed().find(kind, plugin.use).offer
        own = {name: value for name, value in plugin.defaults.items() if "." not in name}
        assert plugin.version < offer.version or own.items() <= default_params(offer).items(), plugin.use


def _plugins(spec: RunSpec) -> Iterator[tuple[Kind, PluginSpec]]:
    yield "task", spec.task
    yield "dataset", spec.dataset
    yield "teacher" if spec.reference else "student", spec.student
    yield from (("teacher", teacher) for teacher in spec.team)
    yield from (("objective", term) for term in spec.terms)
    yield from (("strategy", strategy) for strategy in spec.strategies)
