"""Records of format 1 beside those of today: the same runs have the same ids, and defaults stay what they were."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Kind, installed
from kdbench.plugins.parameters import default_params, nested_uses
from kdbench.records import files, format1
from kdbench.records.files import find_records, read_record, recorded, write_record
from kdbench.records.reading import read_measured
from kdbench.records.record import Record
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import OPERATIONAL, PINNED, RunSpec, Tuning
from tests.support.made_records import edit, format1_spec, made
from tests.support.paths import ROOT
from tests.support.toys import plugged, run_spec, sage, toy_plugins

SUITES = ["emoji-sweep", "strategies", "students"]
# Settings whose default has changed since it was pinned in `kdbench.suite.spec`. The pin stays as it is.
CHANGED: dict[str, set[str]] = {"train": set(), "evaluate": set()}


@cache
def published() -> list[Record]:
    """All records under results/ of format 1."""
    records = [read_record(path) for path in find_records([ROOT / "results"])]
    return [record for record in records if record.format == 1]


def test_published_records_have_the_ids_of_format_1_and_ids_of_today() -> None:
    assert len(published()) == 192
    for record in published():
        assert record.ids == {"run_id": record.run_id, "cell_id": record.cell_id, "label": record.label}
    assert len({record.spec.run_id for record in published()}) == 192
    cells = {(record.cell_id, record.spec.cell_id) for record in published()}
    assert len(cells) == len({then for then, _ in cells}) == len({now for _, now in cells})


@pytest.mark.parametrize("suite", SUITES)
def test_a_plan_of_today_has_the_ids_of_the_published_runs(suite: str) -> None:
    """So that nothing published is run again, and further seeds join its rows."""
    planned = {spec.run_id: spec for spec in plan(load_suite(ROOT / "suites" / f"{suite}.yaml", installed()))}
    mine = [record for record in published() if record.spec.suite == suite and not record.spec.tuning]
    assert mine
    for record in mine:
        assert record.spec.run_id in planned, record.label
        assert planned[record.spec.run_id].disagreement(record.spec) == ""
        assert recorded(ROOT / "results", planned[record.spec.run_id]) == record


@pytest.mark.parametrize("format", [1, 2])
def test_a_published_record_is_written_as_it_was_read(format: int, tmp_path: Path) -> None:
    """Of format 1 it stays; what runs again with its spec is of today's format and joins its cell."""
    record = published()[0]
    if format == 2:
        spec = record.spec.replace(seed=1000)
        record = record.replace(format=2, original=None, spec=spec, run_id=spec.run_id, cell_id=spec.cell_id, label=spec.label)
    again = read_record(write_record(tmp_path, record))
    assert again == record
    assert (again.format, again.spec.cell_id) == (format, published()[0].spec.cell_id)
    assert Record.model_validate_json(again.model_dump_json()) == again  # as records travel between processes
    if format == 1:
        original = json.loads((ROOT / "results" / record.spec.suite / f"{record.run_id}.json").read_bytes())
        written = json.loads((tmp_path / record.spec.suite / f"{record.run_id}.json").read_bytes())
        assert {name: written[name] for name in original} == original


def test_rows_of_both_formats_join_one_cell(tmp_path: Path) -> None:
    made(tmp_path, 0, format=1)
    made(tmp_path, 1)
    runs = read_measured([tmp_path], toy_plugins()).runs
    assert sorted((run.record.format, run.record.spec.seed) for run in runs) == [(1, 0), (2, 1)]
    assert len({run.record.cell_id for run in runs}) == 2
    assert len({run.record.spec.cell_id for run in runs}) == 1
    assert len({run.protocol.id for run in runs}) == 1


NAMES = st.sampled_from(["a", "b", "c"])
SPECS = st.builds(
    lambda team, seed, train, every, k, variant, tuning, smoke, width: run_spec(
        team, seed=seed, train=train, evaluate=Evaluate(every=every), variant=variant, tuning=tuning, smoke=smoke,
        student=plugged("toy", width=width), task=run_spec().task.replace(params={"recall_at": k}),
    ),
    st.lists(NAMES, unique=True, max_size=3),
    st.integers(0, 3),
    st.fixed_dictionaries({}, optional={"lr": st.sampled_from([1e-3, 0.5]), "epochs": st.sampled_from([3, 30])}),
    st.integers(1, 2),
    st.sampled_from([[1, 5], [1, 5, 10]]),
    st.sampled_from(["", "full"]),
    st.sampled_from([None, Tuning(split="validation", trials=3, metric="rsum")]),
    st.booleans(),
    st.sampled_from([8, 16]),
)  # fmt: skip


@given(SPECS, SPECS)
def test_two_runs_of_format_1_are_one_run_exactly_if_they_are_today(one: RunSpec, other: RunSpec) -> None:
    then = [format1_spec(spec) for spec in (one, other)]
    read = [RunSpec.model_validate(format1.spec_of(spec)) for spec in then]
    assert [spec.run_id for spec in read] == [one.run_id, other.run_id]
    assert (format1.run_id(then[0]) == format1.run_id(then[1])) == (one.run_id == other.run_id)
    assert (format1.cell_id(then[0]) == format1.cell_id(then[1])) == (one.cell_id == other.cell_id)


def test_a_reference_of_format_1() -> None:
    spec = run_spec(team=[]).replace(role="reference", student=sage("a"), train=None)
    then = format1_spec(spec)
    assert then["train"] == {}
    assert format1.label(then) == "a · as it is"
    assert RunSpec.model_validate(format1.spec_of(then)) == spec
    assert RunSpec.model_validate(format1.spec_of(then)).label == "a · teacher itself"


def test_labels_of_format_1() -> None:
    assert format1.label(format1_spec(run_spec(team=[], seed=3))) == "toy · no teacher · seed 3"
    assert format1.label(format1_spec(run_spec(variant="full"))) == "full · toy · a+b · equal · seed 0"


def test_a_record_of_format_1_is_found_by_the_run(tmp_path: Path) -> None:
    path = made(tmp_path, 3, format=1)
    spec = run_spec(seed=3)
    assert path.stem != spec.run_id
    assert recorded(tmp_path, spec) == read_record(path)
    assert recorded(tmp_path, run_spec(seed=4)) is None
    later = made(tmp_path, 4, format=1)  # while this process lives
    assert recorded(tmp_path, run_spec(seed=4)) == read_record(later)
    edit(path, lambda record: record.update(steps="many"))
    assert recorded(tmp_path, run_spec(seed=5)) is None
    now = made(tmp_path, 3)
    assert recorded(tmp_path, spec) == read_record(now)


def test_a_default_that_changed_without_a_new_version_is_told(tmp_path: Path) -> None:
    """Its run has the id of the recorded one, and is another."""
    then = run_spec(student=plugged("toy", width=8).replace(defaults={"width": 8}))
    path = made(tmp_path, spec=then)
    now = run_spec(student=plugged("toy", width=16).replace(defaults={"width": 16}))
    assert now.run_id == then.run_id
    assert recorded(tmp_path, then) is not None
    with pytest.raises(
        KdbenchError, match=r"a default has changed .*toy.width: 8 then, 16 now.*raises its `Offer.version`"
    ) as raised:
        recorded(tmp_path, now)
    assert str(path) in str(raised.value)
    raised_version = run_spec(student=now.student.replace(version=2))
    assert recorded(tmp_path, raised_version) is None


def test_the_same_of_a_record_of_format_1(tmp_path: Path) -> None:
    """Its defaults are those that `format1.json` has."""
    then = run_spec(objective=(run_spec().objective[0].replace(params={"temperature": 1.0}),))
    made(tmp_path, spec=then, format=1)
    hot = then.objective[0].replace(params={"temperature": 2.0}, defaults={"temperature": 2.0})
    with pytest.raises(KdbenchError, match=r"relational_kl.temperature: 1.0 then, 2.0 now"):
        recorded(tmp_path, run_spec(objective=(hot,)))


def pins() -> list[tuple[Kind, str]]:
    return [(kind, use) for kind, offers in format1._pinned().items() for use in offers]  # type: ignore[misc]


@pytest.mark.parametrize(("kind", "use"), pins(), ids=str)
def test_first_party_defaults_are_those_of_format_1(kind: Kind, use: str) -> None:
    """A plugin that changes a default, or drops a parameter, raises its version; new parameters need nothing."""
    offer = installed().find(kind, use).offer
    if offer.version > 1:
        pytest.skip("its version says that its defaults have changed")
    pinned: dict[str, Any] = format1._pinned()[kind][use]
    defaults = default_params(offer)
    assert {name: defaults.get(name) for name in pinned["defaults"]} == pinned["defaults"]
    uses = {name: mark.kind for name, mark in nested_uses(offer).items()}
    assert uses.items() >= pinned.get("uses", {}).items()
    assert all(defaults[name] is None for name in uses.keys() - pinned.get("uses", {}).keys())


def test_every_published_plugin_is_pinned_or_has_no_defaults() -> None:
    """Those offered then; parameters of others count as given."""
    for record in published():
        spec = record.spec
        parts = [("teacher" if spec.reference else "student", spec.student), ("dataset", spec.dataset)]
        parts += [("teacher", teacher) for teacher in spec.team] + [("objective", term) for term in spec.objective]
        parts += [("strategy", spec.strategy)] if spec.strategy else []
        for kind, plugin in parts:
            defaults = default_params(installed().find(kind, plugin.use).offer)  # type: ignore[arg-type]
            own = {name for name in plugin.defaults if "." not in name}
            assert own == defaults.keys() & plugin.params.keys(), plugin.use


@pytest.mark.parametrize(("block", "settings"), [("train", Train), ("evaluate", Evaluate)])
def test_the_core_s_defaults_are_pinned(block: str, settings: type[BaseModel]) -> None:
    """One that changes leaves its pin and is listed in `CHANGED`; a new setting is pinned by its default."""
    for name, pin in PINNED[block].items():
        assert name not in OPERATIONAL
        if name not in CHANGED[block]:
            assert settings.model_fields[name].default == pin, f"{block}.{name}"


def test_each_file_of_a_folder_is_looked_into_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is recorded in the meantime: runs of a folder of thousands ask one after another."""
    looked: list[str] = []

    def counted(file: Path) -> bytes:
        looked.append(file.name)
        return head(file)

    head = files._head
    monkeypatch.setattr(files, "_head", counted)
    for seed in range(20):
        assert recorded(tmp_path, run_spec(seed=seed)) is None
        made(tmp_path, spec=run_spec(seed=seed))
        assert recorded(tmp_path, run_spec(seed=seed)) is not None
    assert len(looked) == len(set(looked)) == 19  # the last run's was found by its name


def test_a_record_of_format_1_that_comes_later_is_found(tmp_path: Path) -> None:
    record = next(one for one in published() if one.spec.suite == "students")
    assert recorded(tmp_path, record.spec) is None
    made(tmp_path, spec=record.spec.replace(seed=99))
    assert recorded(tmp_path, record.spec) is None
    name = f"{record.run_id}.json"
    shutil.copy(ROOT / "results/students" / name, tmp_path / "students" / name)
    assert recorded(tmp_path, record.spec) == record
    (tmp_path / "students" / name).unlink()
    assert recorded(tmp_path, record.spec) is None
