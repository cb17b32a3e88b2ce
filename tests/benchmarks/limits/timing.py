"""Ratios of CPU seconds of things measured in turn, with an interval and an A/A row."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Not ru_maxrss, which begins with the memory of the process that started this one.
PEAK = "from kdbench.deploy.profile.process_memory import peak; print(peak(), file=sys.stderr)"


@dataclass(frozen=True)
class Row:
    """One line of the table: an item, what it takes, the bounds of the middle half of the rounds, and what is to be reached."""

    item: str
    found: float
    low: float
    high: float
    unit: str
    reach: str


def in_turn(rounds: int, **measured: Callable[[], object]) -> dict[str, list[float]]:
    """CPU seconds of each thing in each round; a first round, which fills caches, does not count."""
    found: dict[str, list[float]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, work in measured.items():
            started = time.process_time()
            work()
            if number:
                found[name].append(time.process_time() - started)
    return found


def ratio(item: str, one: Sequence[float], other: Sequence[float], reach: str) -> Row:
    """The median of the ratios of each round."""
    return row(item, np.array(one) / np.array(other), "×", reach)


def row(item: str, values: Sequence[float] | NDArray[np.float64], unit: str, reach: str) -> Row:
    """The median of all rounds."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Row(item, float(middle), float(low), float(high), unit, reach)


def command(*arguments: str, **variables: str) -> tuple[float, float]:
    """CPU seconds and the peak memory in MB of a `kdbench` process with these arguments; without any of an empty one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    body = "runpy.run_module('kdbench', run_name='__main__')" if arguments else "pass"
    code = f"import runpy, sys\nsys.argv = sys.argv[1:]\ntry:\n    {body}\nfinally:\n    {PEAK}"
    given = [sys.executable, "-c", code, "kdbench", *arguments]
    done = subprocess.run(given, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"kdbench {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, float(done.stderr.splitlines()[-1])
