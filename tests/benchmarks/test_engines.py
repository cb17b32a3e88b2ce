"""What an engine adds to a run, and how two workers compare with one. `make bench`, on an idle machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.messages import ExecuteRun, Finished, Started, preparations
from kdbench.suite.spec import RunSpec
from kdbench_plugins.engines.local import Local
from kdbench_plugins.engines.ray import Ray
from tests.support.distributions import installed
from tests.support.toys import plugged, run_spec

LIMIT_SECONDS = 3.0  # 5 % of a run of a minute


@pytest.fixture(autouse=True)
def toys(tmp_path: Path) -> Iterator[None]:
    """An installed distribution with the toys, for processes started from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", installed(tmp_path / "site", "tests.support.ray_toys:TOYS"))
        patch.delenv("RAY_ADDRESS", raising=False)
        yield


def works(specs: list[RunSpec]) -> list[Work]:
    return [*preparations(specs), *(ExecuteRun(spec=spec) for spec in specs)]


def timed(name: str, specs: list[RunSpec], folder: Path, jobs: int) -> tuple[float, dict[str, tuple[float, float]]]:
    """Seconds in total, and for each run when it started and ended."""
    moments: dict[str, list[float]] = {}

    def on_event(work: Work, event: Event) -> None:
        if isinstance(work, ExecuteRun) and isinstance(event, Started | Finished):
            assert isinstance(event, Started) or event.record.status == "ok", event
            moments.setdefault(work.spec.run_id, []).append(time.perf_counter())

    engines: dict[str, Engine] = {"local": Local(), "ray": Ray()}
    began = time.perf_counter()
    engines[name].execute(works(specs), Site(folder / "results", folder / "cache", "cpu", jobs), on_event)
    return time.perf_counter() - began, {run: (start - began, end - began) for run, (start, end) in moments.items()}


def inside(folder: Path) -> float:
    """Seconds that the shortest run takes by itself, in this process."""
    import torch

    from kdbench.runs.execute import execute
    from tests.support.toys import run_context

    torch.set_num_threads(1)
    context = run_context(folder)
    seconds = []
    for seed in range(6):
        began = time.perf_counter()
        assert execute(short(seed), context).status == "ok"
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


def short(seed: int) -> RunSpec:
    return run_spec((), seed=seed, train={"epochs": 1})


def test_overhead_of_a_process_for_each_run(tmp_path: Path) -> None:
    """Tasks of Ray: each run's process starts and imports torch anew.

    Printed and not bounded: two thirds of it are torch's imports, and on slow cores it is more than 5 % of a minute.
    """
    from ray.cluster_utils import Cluster

    count, ends, times = 6, list[float](), tmp_path / "times"
    alone = inside(tmp_path / "alone")
    node: dict[str, Any] = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 10**8}

    def on_event(work: Work, event: Event) -> None:  # noqa: ARG001
        if isinstance(event, Finished):
            ends.append(time.perf_counter())

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDBENCH_TEST_TIMES", str(times))
        cluster = Cluster(initialize_head=True, head_node_args=node)
        try:
            specs = [
                run_spec(strategy=plugged("resting", seconds=0.0), seed=seed, train={"epochs": 1}) for seed in range(count)
            ]
            site = Site(tmp_path / "results", tmp_path / "cache", "cpu")
            Ray(address=cluster.address).execute(works(specs), site, on_event)
        finally:
            cluster.shutdown()  # type: ignore[no-untyped-call]
    spent = dict(line.split() for line in times.read_text().splitlines())
    busy = float(np.median([float(seconds) for seconds in spent.values()]))
    each = float(np.mean(np.diff(ends))) - alone
    print(f"\nray, a process a run: {each * 1e3:.0f} ms a run at a load of {os.getloadavg()[0]:.1f},", end="")
    print(f" {busy * 1e3:.0f} ms of the processor before its first step; a minute's 5 % is 3000 ms")
    assert len(spent) == count, "a process served twice"


def test_overhead_of_a_run(tmp_path: Path) -> None:
    """Of very short runs with the engine `local`, by one worker after warm-up; and of the first, which starts everything."""
    count = 20
    before = inside(tmp_path / "before")
    total, moments = timed("local", [short(seed) for seed in range(count)], tmp_path, 1)
    alone = (before + inside(tmp_path / "after")) / 2
    ends = sorted(end for _, end in moments.values())
    each = float(np.mean(np.diff(ends))) - alone
    first = ends[0] - alone
    print(f"\nlocal: {each * 1e3:.0f} ms a run (run alone {alone * 1e3:.0f} ms); before the first ends {first:.1f} s")
    print(f"  {count} runs: {(total - count * alone) / count * 1e3:.0f} ms each with start and end; a minute's 5 % is 3000 ms")
    assert each < LIMIT_SECONDS
    assert (total - count * alone) / count < LIMIT_SECONDS


def computing(seed: int) -> RunSpec:
    """Some seconds of one core."""
    return run_spec((), seed=seed, train={"epochs": 300})


def resting(seed: int) -> RunSpec:
    """Three seconds of sleep: what two workers gain on it is due to the engine alone, however busy the machine."""
    return run_spec(strategy=plugged("resting", seconds=0.25), seed=seed)


@pytest.mark.parametrize("made", [resting, computing], ids=["resting", "computing"])
@pytest.mark.parametrize("name", ["local", "ray"])
def test_two_workers_relative_to_one(name: str, made: Callable[[int], RunSpec], tmp_path: Path) -> None:
    """Equal runs, from the end of each worker's first, which imports torch, to the end of the last."""
    rates = {}
    load = os.getloadavg()[0]
    for jobs in (1, 2):
        _, moments = timed(name, [made(seed) for seed in range(5 * jobs)], tmp_path / str(jobs), jobs)
        ends = sorted(end for _, end in moments.values())
        rates[jobs] = (len(ends) - jobs) / (ends[-1] - ends[jobs - 1])
    print(f"\n{name}, {made.__name__}: 1 worker {rates[1] * 60:.1f} runs a minute, 2 workers {rates[2] * 60:.1f}:", end="")
    print(f" {rates[2] / rates[1]:.2f} × on {os.cpu_count()} cores at a load of {load:.1f} before")
    if made is resting or load < (os.cpu_count() or 1) - 1.5:  # otherwise no second core is free
        assert rates[2] > 1.5 * rates[1]
