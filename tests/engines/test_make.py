"""Engines by name; one that a third party offers executes real runs and studies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.executor import Executor
from kdbench.engines.make import make_engine, named
from kdbench.engines.messages import Started
from kdbench.engines.session import Session
from kdbench.engines.tuner import Tuner
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_record, record_path
from kdbench.suite.study import studies
from kdbench.tuning.trials import execute_trial
from kdbench_plugins.engines import local, ray
from tests.support.sweeping import opened, suite_of
from tests.support.toys import run_context, run_spec, toy_plugins


class InProcess:
    """A third party's engine: in this process, one piece after the other, at most `most` of them."""

    plugins = toy_plugins()

    def __init__(self, *, most: int = 99) -> None:
        self.most = most

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        current: Work

        def send(event: Event) -> None:
            on_event(current, event)

        executor = Executor(site, send, self.plugins)
        for current in work[: self.most]:
            send(Started())
            executor.execute(current)


class Offering:
    @hookimpl
    def kdbench_engines(self) -> list[Offer[Engine]]:
        return [Offer("in_process", InProcess, "in this process")]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Toys and engines; `warnings.showwarning`, which an executor replaces, comes back afterwards."""
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    found = toy_plugins()
    for module in (local, ray):
        found.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    found.register(Offering(), "third:party")
    return found


def test_a_third_partys_engine_executes_runs(engines: Plugins, tmp_path: Path) -> None:
    site = Site(tmp_path / "results", tmp_path / "cache", "cpu")
    session = Session(site, make_engine(engines, "in_process"), engines)
    specs = [run_spec(), run_spec(("a",), seed=1)]
    session.run(specs)
    from kdbench.runs.execute import execute

    for spec in specs:
        written = read_record(record_path(site.results, "toys", spec.run_id))
        assert session.records[spec.run_id] == written
        assert written.status == "ok"
        assert written.arrays_sha256 == execute(spec, run_context(tmp_path / "alone")).arrays_sha256
    assert session.pending(specs) == []


def test_a_third_partys_engine_serves_studies(engines: Plugins, tmp_path: Path) -> None:
    (study, *_) = studies(suite_of(tmp_path))
    site = Site(tmp_path / "results", tmp_path / "cache", "cpu")
    storage = str(tmp_path / "studies.journal")
    (summary,) = Tuner(site, make_engine(engines, "in_process"), storage).tune([study])
    calm = opened(tmp_path / "calm")
    calm.set_up(study)
    while execute_trial(study, calm, run_context(tmp_path / "calm"), lambda _: None, lambda *_: None):
        pass
    expected = calm.summary(study).trials
    found = [(trial.number, trial.params, trial.values, trial.state) for trial in summary.trials]
    assert found == [(trial.number, trial.params, trial.values, trial.state) for trial in expected]


def test_its_parameters_are_its_options(engines: Plugins, tmp_path: Path) -> None:
    site = Site(tmp_path / "results", tmp_path / "cache", "cpu")
    specs = [run_spec(()), run_spec((), seed=1)]
    session = Session(site, make_engine(engines, "in_process", {"most": 1}), engines)
    session.run(specs)
    assert list(session.records) == [specs[0].run_id]


def test_the_engine_that_is_named_is_made(engines: Plugins) -> None:
    assert isinstance(make_engine(engines), local.Local)
    made = make_engine(engines, "ray", {"address": "auto", "cpus": 2, "memory": "4GB"})
    assert isinstance(made, ray.Ray)
    assert (made.address, made.cpus, made.gpus, made.memory) == ("auto", 2.0, None, 4 * 10**9)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rya", {}, "here: use\n  found     'rya'\n  expected  .*engine: in_process, local, ray\n  did you mean 'ray'?"),
        ("local", {"x": 1}, "here: x\n  found     'x'\n  expected  nothing here; it takes no parameters"),
        (
            "ray",
            {"cpu": 1},
            "here: cpu\n  found     'cpu'\n  expected  one of address, cpus, .*\n  did you mean 'cpus'?",
        ),
        ("in_process", {"most": "x"}, "here: most\n  found     'x'\n  expected  a whole number"),
    ],
)
def test_what_does_not_fit_is_said(name: str, options: dict[str, object], message: str, engines: Plugins) -> None:
    with pytest.raises(KdbenchError, match=message):
        make_engine(engines, name, options, "here")


@pytest.mark.parametrize(
    ("text", "found"),
    [("ray", ("ray", {})), ("{use: ray, address: auto}", ("ray", {"address": "auto"}))],
)
def test_names_and_maps(text: str, found: tuple[str, dict[str, object]]) -> None:
    assert named(text, "--engine", "an engine") == found


@pytest.mark.parametrize("text", ["[ray]", "{address: auto}", "3"])
def test_other_values_name_nothing(text: str) -> None:
    with pytest.raises(KdbenchError, match=r"--engine: found .*, expected an engine's name or a map such as \{use: NAME, …\}"):
        named(text, "--engine", "an engine")
