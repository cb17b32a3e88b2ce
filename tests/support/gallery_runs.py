"""Runs of the toys with their teachers evaluated themselves: trained once, shared by every test of galleries."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdbench.contracts.shown import Shown
from kdbench.deploy.gallery.opened import opened
from kdbench.records.measured import Measured
from kdbench.records.reading import read_measured
from kdbench.records.record import Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from tests.support.toys import plugged, run_context, run_spec, sage

HELD = tempfile.TemporaryDirectory()  # gone when the process ends


@dataclass(frozen=True)
class Trained:
    """Two strategies with two seeds each, a row without teachers, and the teachers `a` and `b` themselves."""

    context: RunContext
    records: dict[str, Record]

    @property
    def runs(self) -> dict[str, Measured]:
        """As they are read, by the same names."""
        found = {run.record.run_id: run for run in read_measured([self.context.results], self.context.plugins).runs}
        return {name: found[record.run_id] for name, record in self.records.items()}

    @property
    def shown(self) -> Shown:
        return opened(self.records["equal 0"], self.context.plugins, self.context.cache)

    def copied(self, folder: Path, cache: bool = True) -> RunContext:
        """Results, and the cache if it is wanted, where a test may change them."""
        shutil.copytree(self.context.results, folder / "results")
        if cache:
            shutil.copytree(self.context.cache.root, folder / "cache")
        return run_context(folder)


@cache
def trained() -> Trained:
    context = run_context(Path(HELD.name))
    specs = {f"equal {seed}": run_spec(seed=seed) for seed in (0, 1)}
    specs |= {f"random {seed}": run_spec(strategy=plugged("random"), seed=seed) for seed in (0, 1)}
    specs["alone"] = run_spec([])
    itself = run_spec([]).replace(role="reference", train=None)
    specs |= {name: itself.replace(student=sage(name)) for name in ("a", "b")}
    return Trained(context, {name: execute(spec, context) for name, spec in specs.items()})
