"""suites/emoji-sweep.yaml on the real data, shortened: four strategies, a dozen trials each, killed three times.

Takes five minutes on two cores once the teachers are in the cache that KDBENCH_CACHE names.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdbench.records.study_summary import read_summary
from kdbench.storage.cache import default_root
from tests.support.paths import ROOT
from tests.support.sweeping import journal_counts, killed

CHANCE = 7 / 6  # percent, the mean of R@1, R@5 and R@10 both ways
SHORT = ["teams=[[lite0, lite2]]", "train.epochs=3", "train.checkpoint_every=20", "sweep.pruner.min_resource=1"]


@pytest.mark.fault("a killed sweep", times=3)
def test_a_sweep_killed_three_times_ends_with_48_trials(tmp_path: Path) -> None:
    journal = tmp_path / "results/emoji-sweep/sweep/studies.journal"
    command = [sys.executable, "-m", "kdbench", "sweep", str(ROOT / "suites/emoji-sweep.yaml"), *SHORT, "--only-tune"]
    started = time.perf_counter()
    kills = killed(command, tmp_path, journal, default_root(), [6, 18, 30], seconds=3000)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(f"killed after {kills} trials; {time.perf_counter() - started:.0f} s in all\n{done.stdout}")
    counts = journal_counts(journal)
    assert len(counts) == 4
    assert [sum(states.values()) for states in counts.values()] == [12] * 4
    assert all(set(states) <= {"COMPLETE", "PRUNED"} for states in counts.values())
    summaries = [read_summary(path) for path in sorted(journal.parent.glob("*.json"))]
    assert [[trial.number for trial in summary.trials] for summary in summaries] == [list(range(12))] * 4
    # The budget exactly: complete trials have all their epochs, and no trial has more.
    for summary in summaries:
        assert summary.best_trial
        assert all(max(trial.epochs) == 3 for trial in summary.trials if trial.state == "complete")
        assert summary.best_trial.values[0] > 3 * CHANCE
