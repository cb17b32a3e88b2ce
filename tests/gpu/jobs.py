"""Trainings of the quickstart's student at once on one device against one after another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import torch

from kdbench.engines.executor import THREADS
from kdbench_plugins.strategies.ammkd import Ammkd
from tests.gpu.learners import learner
from tests.gpu.timing import wait
from tests.gpu.watch import Watch
from tests.support.paths import ROOT

JOBS = (1, 2, 4, 8)
READY, DONE = "ready", "done"


def measure(device: str, small: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for jobs in (1, 2) if small else JOBS:
        values = found[str(jobs)] = at_once(jobs, device, 2 if small else 150, small)
        values["against_one_after_another"] = round(values["seconds"] / (jobs * found["1"]["seconds"]), 3)
    return found


def at_once(jobs: int, device: str, steps: int, small: bool) -> dict[str, Any]:
    """Seconds until all processes have trained for these steps; they begin together, when all are ready."""
    command = [sys.executable, "-m", "tests.gpu.jobs", device, str(steps), str(int(small))]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | THREADS)
        for _ in range(jobs)
    ]
    try:
        for one in processes:
            _expect(one, READY)
        with Watch() as watch:
            started = time.perf_counter()
            for one in processes:
                assert one.stdin
                one.stdin.write("go\n")
                one.stdin.flush()
            peaks = [float(_expect(one, DONE)) for one in processes]
            seconds = time.perf_counter() - started
    finally:
        for one in processes:
            one.kill()
            one.wait()
    return {
        "seconds": round(seconds, 3),
        "steps_a_second": round(jobs * steps / seconds, 1),
        "peak_mib": max(peaks),
        **watch.found,
    }


def _expect(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise RuntimeError(f"a training ended before it was {word}")


def train(device: str, steps: int, small: bool) -> None:
    torch.set_num_threads(1)
    one = learner(2, Ammkd(), device, small, precision="auto")
    for step in range(3):
        one.step(step)
    wait(device)
    print(READY, flush=True)
    sys.stdin.readline()
    for step in range(3, 3 + steps):
        one.step(step)
    wait(device)
    print(DONE, round(torch.cuda.max_memory_reserved(device) / 2**20) if device.startswith("cuda") else 0, flush=True)


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), bool(int(sys.argv[3])))
