"""Records of real runs of toys, and of traces written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench import Offer, Signal
from kdbench.records.files import write_record, write_trace
from kdbench.records.names import record_path
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from tests.support.toys import plugged, run_context, run_spec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


class Swings:
    """Weights that go from one teacher to the other; reports a figure of each teacher, one of its own, one that begins late."""

    def __init__(self) -> None:
        self.steps = 0

    def weigh(self, signal: Signal) -> Any:
        self.steps += 1
        share = 0.5 + 0.4 * math.sin(self.steps)
        return signal.losses.new_tensor([share, 1 - share])

    def report(self) -> dict[str, float]:
        late = {"late": 10.0 * self.steps} if self.steps > 6 else {}
        return {"P(a)": 0.1 * self.steps, "P(b)": 2.0, "reward": -self.steps, **late}


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Records of real runs of 12 steps, by what they are good for."""
    folder = tmp_path_factory.mktemp("runs")
    made = run_context(folder, strategies=[Offer("swings", Swings)])
    specs = {
        "three": run_spec(("a", "b", "c"), plugged("ammkd", C=0.6)),
        "swings": run_spec(("a", "b"), plugged("swings")),
        "five": run_spec(("a", "b", "c", "d", "e"), plugged("random")),
        "one": run_spec(("a",)),
        "none": run_spec(()),
        "failed": run_spec(("a", "b"), plugged("nonesuch")),
    }
    for spec in specs.values():
        execute(spec, made)
    return {name: record_path(made.results, spec.suite, spec.run_id) for name, spec in specs.items()}


@pytest.fixture
def by_hand(tmp_path: Path, spec: Spec, record: Make) -> Callable[..., Path]:
    """Writes a record with a trace of its own: `by_hand(step=[…], loss=[…], …)`."""

    def write(changes: dict[str, Any] | None = None, **trace: Any) -> Path:
        run = spec(**changes or {})
        path = record_path(tmp_path / "results", run.suite, run.run_id)
        return write_record(tmp_path / "results", record(run, trace_sha256=write_trace(path, Trace(**trace))))

    return write
