"""Runs as tasks of a real Ray cluster, of two nodes on this machine, one of which is lost."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import ray
from ray.cluster_utils import Cluster

from kdbench import KdbenchError
from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.messages import (
    Crashed,
    EpochFinished,
    ExecuteRun,
    Finished,
    Lost,
    PrepareTeacher,
    ServeStudy,
    Started,
    TimedOut,
    TrialEnded,
    Warned,
    preparations,
)
from kdbench.engines.rounds import rounds
from kdbench.engines.suite_run import SuiteRun
from kdbench.records.files import read_record, record_path, recorded
from kdbench.suite.source import read_suite
from kdbench.suite.spec import RunSpec
from kdbench.suite.study import studies
from kdbench.tuning.storage import Storage
from kdbench_plugins.engines.local import Local
from kdbench_plugins.engines.ray import Ray
from tests.support.distributions import installed
from tests.support.here import Here
from tests.support.patience import until
from tests.support.sweeping import suite_of
from tests.support.toys import TAUGHT, plugged, run_spec, toy_plugins

RACE = (
    TAUGHT
    + """\
name: raced
strategies: [equal, random]
objective: [relational_kl]
train: {epochs: 1, batch_size: 8, precision: fp32}
evaluate: {recall_at: [1, 5], margin: 60}
race: {min_seeds: 2, max_seeds: 3, looks: 2, futility: 0}
"""
)
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
RUNS = 12
Kind = TypeVar("Kind", bound=Event)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node, whose processes know the toys as an installed distribution."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", installed(tmp_path_factory.mktemp("site"), "tests.support.ray_toys:TOYS"))
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args=NODE)
        yield made
        made.shutdown()  # type: ignore[no-untyped-call]


class Stage:
    """Folders for runs, and the events of engines."""

    def __init__(self, folder: Path, address: str | None) -> None:
        self.folder, self.address = folder, address
        self.site = Site(folder / "results", folder / "cache", "cpu")
        self.notes = folder / "notes"
        self.notes.mkdir(parents=True)
        self.events: list[tuple[Work, Event]] = []

    def on_event(self, work: Work, event: Event) -> None:
        self.events.append((work, event))

    def run(self, specs: list[RunSpec], engine: Engine | None = None, site: Site | None = None) -> None:
        work: list[Work] = [*preparations(specs), *(ExecuteRun(spec=spec) for spec in specs)]
        (engine or Ray(address=self.address)).execute(work, site or self.site, self.on_event)

    def of(self, spec: RunSpec, kind: type[Kind]) -> list[Kind]:
        """The events of one run and one kind."""
        found = [event for work, event in self.events if isinstance(work, ExecuteRun) and work.spec == spec]
        return [event for event in found if isinstance(event, kind)]

    def steps(self) -> list[tuple[int, int, str]]:
        """Number, step and node of every step of every run."""
        file = self.notes / "steps"
        lines = [line.split() for line in (file.read_text() if file.exists() else "").splitlines()]
        return [(int(number), int(step), node) for number, step, node in lines]


@pytest.fixture
def stage(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path, cluster.address)
    monkeypatch.setenv("KDBENCH_TEST_NOTES", str(made.notes))
    return made


def arrays(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.test.npz")}


def noting(number: int) -> RunSpec:
    return run_spec(strategy=plugged("noting", f"noting {number}", number=number), seed=number % 3)


def remove_in_the_middle(cluster: Cluster, stage: Stage, victim: Any) -> None:
    """Lets the node's fourth or a later run reach its 8th step and sleep there, then removes the node."""
    until(lambda: len([step for _, step, _ in stage.steps() if step == 11]) >= 3)
    (stage.notes / "park").write_text(victim.node_id)
    until((stage.notes / "parked").exists)
    cluster.remove_node(victim, allow_graceful=False)


@pytest.mark.faults
@pytest.mark.fault("a lost node of a Ray cluster")
def test_a_lost_node_costs_nothing_and_repeats_no_run(cluster: Cluster, stage: Stage, tmp_path: Path) -> None:
    victim = cluster.add_node(**NODE)
    specs = [noting(number) for number in range(RUNS)]
    thread = threading.Thread(target=remove_in_the_middle, args=(cluster, stage, victim), daemon=True)
    thread.start()
    stage.run(specs)
    thread.join()

    records = [recorded(stage.site.results, spec) for spec in specs]
    assert [record and record.status for record in records] == ["ok"] * RUNS
    assert [len(stage.of(spec, Started)) for spec in specs] == [1] * RUNS
    assert [len(stage.of(spec, Finished)) for spec in specs] == [1] * RUNS
    assert [[event.epoch for event in stage.of(spec, EpochFinished)] for spec in specs] == [[1, 2, 3]] * RUNS
    for spec, record in zip(specs, records, strict=True):
        assert record is not None
        assert stage.of(spec, Finished)[0].record.model_dump(mode="json") == record.model_dump(mode="json")
        assert (record.run_id, record.device, record.threads) == (spec.run_id, "cpu", 1)

    steps = stage.steps()
    parked = int((stage.notes / "parked").read_text())
    both = {node for _, _, node in steps}
    assert len(both) == 2
    ends = Counter(number for number, step, _ in steps if step == 11)
    assert ends == dict.fromkeys(range(RUNS), 1), "a run was lost, or run twice to its end"
    for number in set(range(RUNS)) - {parked}:
        assert [step for other, step, _ in steps if other == number] == list(range(12)), "nothing but the lost run was repeated"
    # Killed in its step 7 (from 0), after the checkpoint that follows step 5: it resumes with step 6, on the other node.
    lost = [(step, node == victim.node_id) for number, step, node in steps if number == parked]
    assert lost == [*((step, True) for step in range(8)), *((step, False) for step in range(6, 12))]
    (warning,) = [event.message for event in stage.of(specs[parked], Warned) if "lost" in event.message]
    assert specs[parked].label in warning

    stage.run(specs, Local(), Site(tmp_path / "local/results", tmp_path / "local/cache", "cpu", 2))
    assert len(arrays(tmp_path / "local/results")) == RUNS
    assert arrays(stage.folder / "results") == arrays(tmp_path / "local/results")


@pytest.mark.faults
@pytest.mark.fault("a worker of a Ray cluster that crashes")
def test_crashes_are_tried_again_up_to_a_bound(stage: Stage) -> None:
    """And what cannot run at all is recorded by the run, as elsewhere."""
    once = run_spec(strategy=plugged("fatal", "once", number=0, times=1))
    ever = run_spec(strategy=plugged("fatal", "ever", number=1, times=99))
    absent = run_spec(strategy=plugged("absent"))
    taught = run_spec((plugged("mortal", "m", width=11, seed=3), "a"))
    stage.run([once, ever, absent, taught])
    assert stage.of(once, Finished)[0].record.status == "ok"
    steps = stage.steps()
    assert [step for number, step, _ in steps if number == 0] == [*range(7), *range(6, 12)]
    (crashed,) = stage.of(ever, Crashed)
    assert isinstance(crashed.reason, Lost)
    assert crashed.reason.times == 3
    assert "lost 3 times" in f"{crashed.reason}"
    assert crashed.log == "the last words\n"
    assert [step for number, step, _ in steps if number == 1] == [*range(7), 6, 6]
    assert not record_path(stage.folder / "results", "toys", ever.run_id).exists()
    prepared = [event for work, event in stage.events if isinstance(work, PrepareTeacher)]
    (warning,) = [event.message for event in prepared if isinstance(event, Warned)]
    assert warning.startswith("teacher m: its process or node was lost")
    assert stage.of(taught, Finished)[0].record.status == "ok"
    assert stage.of(taught, Warned) == [], "a run was blamed for the teacher that it waited for"
    (failed,) = stage.of(absent, Finished)
    assert failed.record.reason.startswith("no strategy is called 'absent'")
    assert list((stage.folder / "cache/logs").iterdir()) == []


@pytest.mark.faults
@pytest.mark.fault("an interrupt of runs on a Ray cluster")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_tasks_and_leaves_checkpoints_and_cluster(cluster: Cluster, stage: Stage) -> None:
    spec = noting(0)
    assert cluster.head_node
    (stage.notes / "park").write_text(cluster.head_node.node_id)

    def interrupt() -> None:
        until((stage.notes / "parked").exists)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        stage.run([spec])
    assert not ray.is_initialized()
    assert len(list((stage.folder / "cache/scratch").glob(f"{spec.run_id}-*/checkpoint.safetensors"))) == 1
    (stage.notes / "park").unlink()
    stage.run([spec])
    assert not (stage.notes / "woke").exists(), "the task was still at work, and held the run's lock until it woke"
    assert [step for _, step, _ in stage.steps()] == [*range(8), *range(6, 12)]
    assert recorded(stage.site.results, spec) is not None
    assert list(stage.folder.glob("*/.driver*")) == []


@pytest.mark.faults
@pytest.mark.fault("a run on a Ray cluster that does not end")
def test_a_run_that_takes_longer_than_its_limit_is_stopped(cluster: Cluster, stage: Stage) -> None:
    """It sleeps for longer than any machine takes, and would not end by itself."""
    spec = noting(0)
    assert cluster.head_node
    (stage.notes / "park").write_text(cluster.head_node.node_id)
    stage.run([spec], site=replace(stage.site, timeout=0.5))
    (crashed,) = stage.of(spec, Crashed)
    assert crashed.reason == TimedOut(seconds=0.5)
    assert not (stage.notes / "woke").exists()
    assert recorded(stage.site.results, spec) is None


def test_errors_of_a_cluster_name_the_option(stage: Stage) -> None:
    with pytest.raises(KdbenchError, match="--device: found 'cuda:1', expected cuda"):
        stage.run([noting(0)], site=Site(stage.site.results, stage.site.cache, "cuda:1"))
    with pytest.raises(KdbenchError, match="--address: found 'localhost:1', where no Ray cluster answers"):
        stage.run([noting(0)], Ray(address="localhost:1"))
    assert not ray.is_initialized()
    assert [path.name for path in (stage.folder / "results").glob(".driver*")] == []


def test_what_a_plugin_does_to_its_process_ends_with_the_task(stage: Stage, tmp_path: Path) -> None:
    """A run beside one that replaces torch's generators is the same to the bit as in a process that never met it."""
    clean, foul = noting(0), run_spec(strategy=plugged("foul", "foul"))
    stage.run([foul, clean])
    found = recorded(stage.site.results, clean)
    alone = Stage(tmp_path / "alone", stage.address)
    alone.run([clean])
    expected = recorded(alone.site.results, clean)
    assert found
    assert expected
    assert (found.arrays_sha256, found.trace_sha256) == (expected.arrays_sha256, expected.trace_sha256)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """What other engines must agree with, tests/kdbench_plugins/engines/test_local.py among them."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    return Here()


def test_trials_are_those_of_one_process(cluster: Cluster, stage: Stage, here: Here) -> None:
    assert cluster
    (_, _, study, *_) = studies(suite_of(stage.folder, ("trials: 4", "trials: 4\n  pruner: none")))
    found = []
    elsewhere = Site(stage.folder / "other", stage.site.cache, "cpu", 1)
    engines: list[tuple[str, Engine, Site]] = [
        ("ray", Ray(address=stage.address), stage.site),
        ("here", here, elsewhere),
    ]
    for name, engine, site in engines:
        place = str(stage.folder / f"{name}.journal")
        storage = Storage(place, site.cache)
        storage.set_up(study)
        work = ServeStudy(study=study, storage=place)
        engine.execute([*preparations([study.spec]), work], site, stage.on_event)
        assert storage.counts(study) == {"complete": 4}
        found.append([(trial.number, trial.params, trial.values) for trial in storage.summary(study).trials])
    assert found[0] == found[1]
    ended = [event.number for _, event in stage.events if isinstance(event, TrialEnded)]
    assert ended == [0, 1, 2, 3] * 2


def test_a_race_decides_and_records_as_in_one_process(stage: Stage, here: Here, tmp_path: Path) -> None:
    (tmp_path / "raced.yaml").write_text(RACE)
    found = []
    for name, engine in (("ray", Ray(address=stage.address)), ("here", here)):
        site = Site(tmp_path / name / "results", tmp_path / name / "cache", "cpu", 1)
        whole = SuiteRun.of(read_suite(tmp_path / "raced.yaml"), site, engine, toy_plugins(), race=True)
        told = []
        for one in rounds(whole):
            told.append(f"{one}")
            one.run.execute()
        records = [read_record(path) for path in whole.records]
        assert {record.status for record in records} == {"ok"}
        metrics = {record.run_id: record.metrics for record in records}
        stops = {row.id: row.stopped for table in whole.results().board.tables for row in table.rows}
        found.append((told, metrics, stops, arrays(site.results)))
    assert found[0] == found[1]
    assert found[0][0][0] == "look 1: seeds 0 to 1 of 3 rows"
