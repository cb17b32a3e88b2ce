"""A leaderboard of 5,000 records: how long the table and the page take, and how much memory. `make bench`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import RunSpec
from tests.support.rankings import finished, write
from tests.support.toys import plugged, retrieval_spec

DATASETS, STUDENTS, STRATEGIES, SEEDS = 5, 4, 50, 5
IMAGES, CAPTIONS = 1000, 5000  # Karpathy's test split of Flickr30k
GIGABYTE = 10**6  # in kB, as the system counts


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_records(tmp_path_factory.mktemp("many"))


def many_records(folder: Path) -> Path:
    """20 tables of 50 rows of 5 seeds: ranks are log-normal about what is hard for everyone."""
    rng = np.random.default_rng(0)
    for data in range(DATASETS):
        hard = rng.normal(size=IMAGES)
        for student in range(STUDENTS):
            for strategy in range(STRATEGIES):
                for seed in range(SEEDS):
                    better = 0.002 * strategy + 0.05 * rng.normal()
                    text = np.exp(2 + hard - better + 0.7 * rng.normal(size=IMAGES))
                    image = np.exp(2 + np.repeat(hard, 5) - better + 0.7 * rng.normal(size=CAPTIONS))
                    spec = a_spec(data, student, strategy, seed)
                    ranks = np.clip(text, 1, CAPTIONS), np.clip(image, 1, IMAGES)
                    write(folder, finished(spec, *ranks, dataset_digest=f"{data}" * 64))
    return folder


def a_spec(data: int, student: int, strategy: int, seed: int) -> RunSpec:
    name = f"strategy {strategy}"
    return RunSpec(
        suite=f"many{data}",
        task=retrieval_spec(1, 5, 10),
        dataset=plugged("data", f"data{data}"),
        student=plugged("toy", f"student {student}", width=student),
        team=tuple(plugged("lens", one) for one in "ab"),
        strategy=plugged(name),
        train=Train(epochs=2, batch_size=8),
        evaluate=Evaluate(),
        seed=seed,
    )


def timed(*arguments: str, cwd: Path) -> tuple[float, float, str]:
    """Seconds, the most kB that the process or one of its own held, and what was printed."""
    before = time.perf_counter()
    code = (
        "import resource as r, sys; from kdbench.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "print(max(r.getrusage(who).ru_maxrss for who in (r.RUSAGE_SELF, r.RUSAGE_CHILDREN)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return time.perf_counter() - before, float(done.stderr.splitlines()[-1]), done.stdout


def test_table(results: Path) -> None:
    found = [timed("leaderboard", str(results), cwd=results) for _ in range(3)]
    seconds, memory = min(one[0] for one in found), max(one[1] for one in found)
    print(f"\n5,000 records: table {', '.join(f'{one[0]:.2f}' for one in found)} s, {memory / 1000:.0f} MB at most")
    verdicts = found[0][2].count("\nUse ") + found[0][2].count("use the cheapest")
    assert verdicts == DATASETS * STUDENTS
    assert seconds < 3
    assert memory < GIGABYTE


def test_page(results: Path, tmp_path: Path) -> None:
    seconds, memory, _ = timed("leaderboard", str(results), "--html", str(tmp_path / "site"), cwd=tmp_path)
    pages = len(list((tmp_path / "site/runs").glob("*.html")))
    print(f"\n5,000 records: page {seconds:.1f} s, {memory / 1000:.0f} MB at most, {pages} pages of runs")
    assert pages == DATASETS * STUDENTS * STRATEGIES * SEEDS
    assert seconds < 20
    assert memory < GIGABYTE


def test_memory_is_counted() -> None:
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 10_000  # kB: as it is on Linux
