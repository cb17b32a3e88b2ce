"""Runs as tasks of a real Ray cluster, of two nodes on this machine, one of which is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
from kdbench.engines.local import LocalEngine
from kdbench.engines.ray import RayEngine
from kdbench.engines.tasks import Event
from kdbench.tuning.study import studies
from ray.cluster_utils import Cluster

from kdbench import KdbenchError
from kdbench.records.record import record_path, recorded
from kdbench.suite.plan import RunSpec
from kdbench.tuning.storage import Storage
from tests.support.paths import ROOT
from tests.support.ray_toys import PARKED_SECONDS
from tests.support.sweeping import suite_of
from tests.support.toys import plugged, run_spec

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
RUNS = 12


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node, whose processes know the toys as an installed distribution."""
    site = tmp_path_factory.mktemp("site")
    (site / "toys-1.0.dist-info").mkdir()
    (site / "toys-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (site / "toys-1.0.dist-info/entry_points.txt").write_text("[kdbench]\ntoys = tests.support.ray_toys:TOYS\n")
    with pytest.MonkeyPatch.context() as patch:
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, map(str, (site, ROOT, *inherited)))))
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args=NODE)
        yield made
        made.shutdown()  # type: ignore[no-untyped-call]


class Stage:
    """Folders for runs, and what the engines tell of them."""

    def __init__(self, folder: Path, address: str | None) -> None:
        self.folder, self.address = folder, address
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.events: list[tuple[RunSpec | None, Event]] = []

    def on_event(self, spec: RunSpec | None, event: Event) -> None:
        self.events.append((spec, event))

    def engine(self, **changes: Any) -> RayEngine:
        made = RayEngine(self.folder / "results", self.folder / "cache", "cpu", None, self.on_event, self.address)
        return replace(made, **changes)

    def of(self, spec: RunSpec | None, kind: str) -> list[Event]:
        return [event for other, event in self.events if other is spec and event["event"] == kind]

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


def ranks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.ranks.npz")}


def noting(number: int) -> RunSpec:
    return run_spec(strategy=plugged("noting", f"noting {number}", number=number), seed=number % 3)


def remove_in_the_middle(cluster: Cluster, stage: Stage, victim: Any) -> None:
    """Lets the node's fourth or a later run come to its 8th step, stay there, and be lost with its node."""
    until = time.monotonic() + 300
    while len([step for _, step, _ in stage.steps() if step == 11]) < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    (stage.notes / "park").write_text(victim.node_id)
    while not (stage.notes / "parked").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    cluster.remove_node(victim, allow_graceful=False)


def test_a_lost_node_costs_nothing_and_repeats_no_run(cluster: Cluster, stage: Stage, tmp_path: Path) -> None:
    victim = cluster.add_node(**NODE)
    specs = [noting(number) for number in range(RUNS)]
    thread = threading.Thread(target=remove_in_the_middle, args=(cluster, stage, victim), daemon=True)
    thread.start()
    stage.engine().run(specs)
    thread.join()

    records = [recorded(stage.folder / "results", "toys", spec.run_id) for spec in specs]
    assert [record and record.status for record in records] == ["ok"] * RUNS
    assert [len(stage.of(spec, "started")) for spec in specs] == [1] * RUNS
    assert [len(stage.of(spec, "finished")) for spec in specs] == [1] * RUNS
    assert [[event["epoch"] for event in stage.of(spec, "epoch")] for spec in specs] == [[1, 2, 3]] * RUNS
    for spec, record in zip(specs, records, strict=True):
        assert record is not None
        assert stage.of(spec, "finished")[0]["record"] == record.model_dump(mode="json")
        assert (record.run_id, record.device, record.threads) == (spec.run_id, "cpu", 1)

    taken = stage.steps()
    parked = int((stage.notes / "parked").read_text())
    both = {node for _, _, node in taken}
    assert len(both) == 2
    ends = Counter(number for number, step, _ in taken if step == 11)
    assert ends == dict.fromkeys(range(RUNS), 1), "a run was lost, or run twice to its end"
    for number in set(range(RUNS)) - {parked}:
        assert [step for other, step, _ in taken if other == number] == list(range(12)), "nothing but the lost run was repeated"
    # Killed in its step 7 (from 0), after the checkpoint that follows step 5: it goes on with 6, on the node that is left.
    lost = [(step, node == victim.node_id) for number, step, node in taken if number == parked]
    assert lost == [*((step, True) for step in range(8)), *((step, False) for step in range(6, 12))]
    (warning,) = [event["message"] for event in stage.of(specs[parked], "warning") if "lost" in event["message"]]
    assert specs[parked].label in warning

    LocalEngine(tmp_path / "local/results", tmp_path / "local/cache", "cpu", 2, lambda *_: None).run(specs)
    assert len(ranks(tmp_path / "local/results")) == RUNS
    assert ranks(stage.folder / "results") == ranks(tmp_path / "local/results")


def test_crashes_are_tried_again_up_to_a_bound(stage: Stage) -> None:
    """And what cannot run at all is recorded by the run, as elsewhere."""
    once = run_spec(strategy=plugged("fatal", "once", number=0, times=1))
    ever = run_spec(strategy=plugged("fatal", "ever", number=1, times=99))
    absent = run_spec(strategy=plugged("absent"))
    taught = run_spec((plugged("mortal", "m", width=11, seed=3), "a"))
    stage.engine().run([once, ever, absent, taught])
    assert stage.of(once, "finished")[0]["record"]["status"] == "ok"
    steps = stage.steps()
    assert [step for number, step, _ in steps if number == 0] == [*range(7), *range(6, 12)]
    (crashed,) = stage.of(ever, "crashed")
    assert "lost 3 times" in crashed["reason"]
    assert "checkpoint is kept" in crashed["reason"]
    assert crashed["log"] == "the last words\n"
    assert [step for number, step, _ in steps if number == 1] == [*range(7), 6, 6]
    assert not record_path(stage.folder / "results", "toys", ever.run_id).exists()
    (warning,) = [event["message"] for event in stage.of(None, "warning")]
    assert warning.startswith("teacher m: its process or node was lost")
    assert stage.of(taught, "finished")[0]["record"]["status"] == "ok"
    assert stage.of(taught, "warning") == [], "a run was blamed for the teacher that it waited for"
    (failed,) = stage.of(absent, "finished")
    assert failed["record"]["reason"].startswith("no strategy is called 'absent'")
    assert list((stage.folder / "cache/logs").iterdir()) == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_tasks_and_leaves_checkpoints_and_cluster(cluster: Cluster, stage: Stage) -> None:
    spec = noting(0)
    assert cluster.head_node
    (stage.notes / "park").write_text(cluster.head_node.node_id)

    def interrupt() -> None:
        while not (stage.notes / "parked").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        stage.engine().run([spec])
    assert not ray.is_initialized()
    assert [path.parent.name for path in (stage.folder / "cache/scratch").glob("*/checkpoint.safetensors")] == [spec.run_id]
    (stage.notes / "park").unlink()
    started = time.monotonic()
    stage.engine().run([spec])
    assert time.monotonic() - started < PARKED_SECONDS / 2, "the task was still at work, and held the run's lock"
    assert [step for _, step, _ in stage.steps()] == [*range(8), *range(6, 12)]
    assert recorded(stage.folder / "results", "toys", spec.run_id) is not None
    assert list(stage.folder.glob("*/.driver*")) == []


def test_what_is_wrong_with_a_cluster_is_said(stage: Stage) -> None:
    with pytest.raises(KdbenchError, match="--device: found 'cuda:1', expected cuda"):
        stage.engine(device="cuda:1").run([noting(0)])
    with pytest.raises(KdbenchError, match="--address: found 'localhost:1', where no Ray cluster answers"):
        stage.engine(address="localhost:1").run([noting(0)])
    assert not ray.is_initialized()
    assert [path.name for path in (stage.folder / "results").glob(".driver*")] == []


def test_trials_are_those_of_the_local_engine(cluster: Cluster, stage: Stage) -> None:
    assert cluster
    (_, _, study, *_) = studies(suite_of(stage.folder, ("trials: 4", "trials: 4\n  pruner: none")))
    found = []
    for name, engine in (
        ("ray", stage.engine()),
        ("local", LocalEngine(stage.folder / "other", stage.folder / "cache", "cpu", 1, stage.on_event)),
    ):
        place = str(stage.folder / f"{name}.journal")
        storage = Storage(place, stage.folder / "cache")
        storage.set_up(study)
        engine.serve([study], place)
        assert storage.counts(study) == {"complete": 4}
        found.append([(trial.number, trial.params, trial.values) for trial in storage.summary(study).trials])
    assert found[0] == found[1]
    told = [event for _, event in stage.events]
    assert [event["number"] for event in told if event["event"] == "trial_ended"] == [0, 1, 2, 3] * 2
