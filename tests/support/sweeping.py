"""A sweep of the toys: suites, studies and plugins for worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from kdbench.suite.check import load_suite
from kdbench.suite.model import Suite
from kdbench.suite.study import Study
from kdbench.suite.sweep import Settings
from kdbench.tuning.claimed_trial import ClaimedTrial
from kdbench.tuning.ending import Ending
from kdbench.tuning.storage import Storage
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE
from tests.support.toys import toy_plugins

SUITE = """\
name: toys
seeds: [0, 1]
datasets: [beads]
students: [toy]
teachers:
  a: {use: sage, width: 11, seed: 97}
  b: {use: sage, width: 12, seed: 98}
teams: [[], [a, b]]
strategies: [equal, ammkd]
objective:
  - relational_kl
  - {use: feature, coefficient: 0.5}
train: {epochs: 3, batch_size: 8, lr: 0.02, precision: fp32, checkpoint_every: 3}
evaluate: {recall_at: [1, 5]}
sweep:
  trials: 4
  space:
    train.lr: {low: 1e-3, high: 1e-1, log: true}
    train.distill: [0.3, 1, 3]
    objective[1].coefficient: {low: 0, high: 2}
  strategies:
    ammkd:
      C: {low: 0.5, high: 1}
"""
# In a worker process: the toys, and a strategy that notes every start of training and takes its time.
PLUGIN = """
import os, signal, time
from pathlib import Path

import torch
from tests.support.toys import Toys
from tests.support.paths import ROOT


class Slow:
    def __init__(self, *, notes: str = "", delay: float = 0.0, knob: float = 0.0, fatal: bool = False) -> None:
        self.notes = Path(notes) if notes else None
        self.delay, self.knob, self.fatal = delay, knob, fatal

    def weigh(self, signal_):
        if self.fatal and signal_.batch.progress >= 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.notes is not None:
            with self.notes.open("a") as stream:
                stream.write(f"{os.getpid()} {self.knob} from {signal_.batch.progress}\\n")
            self.notes = None
        time.sleep(self.delay)
        return torch.tensor([0.5 + self.knob / 2, 0.5 - self.knob / 2])


_toys = Toys(strategies=[Offer("slow", Slow, reads=lambda **_: [])])
kdbench_datasets = _toys.kdbench_datasets
kdbench_teachers = _toys.kdbench_teachers
kdbench_students = _toys.kdbench_students
kdbench_strategies = _toys.kdbench_strategies
"""


def suite_path(folder: Path, *edits: tuple[str, str]) -> Path:
    text = SUITE
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is not in the suite exactly once"
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def with_settings(study: Study, **changes: Any) -> Study:
    """The same study with other settings."""
    return study.replace(settings=Settings(**study.settings.model_dump() | changes))


def suite_of(folder: Path, *edits: tuple[str, str]) -> Suite:
    return load_suite(suite_path(folder, *edits), toy_plugins())


def install(distribution: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the toys a plugin of every process started from here."""
    site = distribution("toys", PLUGIN)
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), str(ROOT), *others])))


def journal_counts(path: Path) -> dict[str, Counter[str]]:
    """What Optuna itself says of a journal: by study, trials by state."""
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    if not path.exists():
        return {}
    storage = JournalStorage(JournalFileBackend(str(path)))
    names = optuna.get_all_study_names(storage)
    found = {name: optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False) for name in names}
    return {name: Counter(trial.state.name for trial in trials) for name, trials in found.items()}


def ended(path: Path) -> int:
    """Trials that have ended, of all studies of a journal."""
    return sum(states[name] for states in journal_counts(path).values() for name in ("COMPLETE", "PRUNED", "FAIL"))


def killed(
    command: Sequence[str], cwd: Path, journal: Path, cache: Path, after: Sequence[int], seconds: float = PATIENCE
) -> list[int]:
    """Starts a sweep again and again, and kills its process group each time that so many trials have ended.

    It waits until another trial has a checkpoint. Returns how many had ended at each kill.
    """
    found = []
    for wanted in after:
        with (cwd / "killed.log").open("a") as log:
            process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + seconds
        while ended(journal) < wanted or not list(cache.glob("scratch/trial-*/checkpoint.safetensors")):
            assert process.poll() is None, (
                "the sweep ended before it could be killed: " + (cwd / "killed.log").read_text()[-3000:]
            )
            assert time.monotonic() < deadline, (cwd / "killed.log").read_text()[-3000:]
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        found.append(ended(journal))
    return found


def opened(folder: Path) -> Storage:
    return Storage(str(folder / "sweep" / "studies.journal"), folder / "cache")


def trials_of(storage: Storage, study: Study) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study.name, storage=storage.backend).get_trials()


def claimed(storage: Storage, study: Study) -> ClaimedTrial:
    claim = storage.claim(study)
    assert claim is not None
    return claim


def abandoned(claim: ClaimedTrial) -> None:
    """As if its process had died: the lock is free, the trial still runs."""
    claim._release()


def value_of(params: dict[str, Any]) -> float:
    return float(100 - abs(params["train.lr"] - 0.03) * 500 - abs(params["strategy.C"] - 0.7) * 50)


def conducted(storage: Storage, study: Study) -> None:
    """All its trials in this process, worth something that follows from their parameters."""
    storage.set_up(study)
    while (claim := storage.claim(study)) is not None:
        claim.end(Ending("complete", (value_of(claim.draw()),), seconds=1.0, best_epoch=2))
