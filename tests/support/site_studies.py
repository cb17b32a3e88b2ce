"""Studies by hand, of a cell of real records, for the tests of the site."""

from __future__ import annotations

from typing import Any

from kdbench.records.record import Record
from kdbench.records.study_summary import State, StudySummary, TrialSummary
from kdbench.records.verify.study_summaries import contradiction
from kdbench.suite.paths import with_values
from kdbench.suite.spec import RunSpec, Tuning
from tests.support.site_boards import BOLD, IMAGE, SCRIPT, measured_in

BEST = {"train.lr": 0.004, "strategy.C": 0.75, "objective[0].coefficient": 2.0}
BUDGET = Tuning(split="validation", trials=7, metric="mean_recall")


def cell() -> list[Record]:
    """The seeds of one untuned row."""
    records = [run.record for run in measured_in("emoji") if run.record.label.startswith("resnet-48px · lite0+lite2 · ammkd")]
    return sorted(records, key=lambda record: record.spec.seed)


def tuned_spec(record: Record, **train: Any) -> RunSpec:
    """What a run of the cell has for its spec with the best parameters of `study()`."""
    paths = {f"train.{name}": value for name, value in train.items()}
    return with_values(record.spec, BEST | paths).replace(tuning=BUDGET)


def trial(number: int, state: State, *values: float, **fields: Any) -> TrialSummary:
    params = {"train.lr": 0.001 * (number + 1), "strategy.C": 0.7, "objective[0].coefficient": 1.0}
    return TrialSummary(number=number, state=state, **{"params": params, "values": list(values), "seconds": 2.5, **fields})


def study(**changes: Any) -> StudySummary:
    """One goal; trials in every state, best the one with `BEST`."""
    trials = [
        trial(0, "complete", 31.5, epochs={1: 20.0, 2: 31.5}, best_epoch=2),
        trial(1, "pruned", reason="after epoch 1", epochs={1: 12.25}),
        trial(2, "complete", 40.25, epochs={1: 40.25, 2: 39.0}, best_epoch=1, params=BEST),
        trial(3, "diverged", reason="loss is nan at step 7"),
        trial(4, "complete", 40.25, epochs={1: 30.0, 2: 40.25}, best_epoch=2),
        trial(5, "failed", reason="out of memory"),
        trial(6, "complete", 35.0, epochs={1: 35.0}, best_epoch=1),
    ]
    fields: dict[str, Any] = {
        "study": "resnet-48px-lite0+lite2-ammkd-0123456789ab",
        "digest": "0123456789ab",
        "suite": "emoji",
        "label": "resnet-48px · lite0+lite2 · ammkd",
        "spec": cell()[0].spec,
        "space": [{"path": "train.lr", "kind": "float", "low": 0.001, "high": 0.01, "log": True}],
        "settings": {"trials": 7, "metric": "mean_recall", "sampler": "tpe"},
        "goals": ["mean_recall"],
        "directions": ["maximize"],
        "best": 2,
        "importance": {"strategy.C": 0.25, "train.lr": 0.625, "objective[0].coefficient": 0.125},
        "trials": trials,
    }
    found = StudySummary.model_validate(fields | changes)
    assert contradiction(found) == ""
    return found


def traded(**changes: Any) -> StudySummary:
    """Three goals and no best; trial 1 is beaten by trial 0."""
    fields: dict[str, Any] = {
        "study": "traded-ba9876543210",
        "goals": ["mean_recall", "latency", "parameters"],
        "directions": ["maximize", "minimize", "minimize"],
        "best": None,
        "pareto": [0, 2],
        "importance": {},
        "trials": [
            trial(0, "complete", 30.0, 1.5, 1_000_000.0),
            trial(1, "complete", 20.0, 1.75, 1_000_000.0),
            trial(2, "complete", 40.0, 3.0, 2_500_000.0),
            trial(3, "failed", reason="out of memory"),
        ],
    }
    return study(**fields | changes)


def hostile_study() -> StudySummary:
    """Every name is an attack, and figures are what JSON may hold of them."""
    params = {IMAGE: SCRIPT, f"</script>{SCRIPT}": 1e-300, BOLD: {SCRIPT: [IMAGE]}, "big": 10**400, "off": False}
    spec = cell()[0].spec
    assert spec.strategy
    return study(
        study=f"../../{SCRIPT}",
        suite=f"../{IMAGE}",
        label=SCRIPT,
        spec=spec.replace(
            dataset=spec.dataset.replace(name=IMAGE),
            student=spec.student.replace(name=BOLD),
            strategy=spec.strategy.replace(name=SCRIPT),
            team=(spec.team[0].replace(name=f"{BOLD}{IMAGE}"),),
            variant=IMAGE,
        ),
        settings={"trials": 7, "metric": IMAGE},
        space=[{"path": SCRIPT, "kind": "choice", "choices": [IMAGE, SCRIPT]}],
        goals=[f"{IMAGE}{SCRIPT}"],
        importance={SCRIPT: 0.0, IMAGE: 1.0, BOLD: 1e-300},
        trials=[
            trial(2, "complete", 9e14, params=params, reason=SCRIPT, seconds=9e14),
            trial(5, "failed", params=params, reason=IMAGE, epochs={1: -9e14}, best_epoch=3),
            trial(10**14, "complete", -9e14, params={}, seconds=9e14, epochs={1: 9e14}),
        ],
    )
