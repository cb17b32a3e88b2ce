"""The report of an export: files, parity with the trained student, metrics, latencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.contracts import Metric
from kdbench.contracts.exporter import TOLERANCE


@dataclass(frozen=True)
class ExportReport:
    """The written files, and how the exported model compares with the trained student on the test split."""

    folder: Path
    files: dict[str, int]  # bytes, by path in the folder
    difference: float | None  # largest absolute difference between outputs of the exported and the trained student
    agreement: dict[str, float]  # fraction of stored entries that equal the record's, by array
    headline: Metric
    metrics: dict[str, float]  # of the exported model, raw values as in records
    variants: dict[str, dict[str, float]] = field(default_factory=dict)  # metrics of lossy variants, by their name
    latency: dict[str, float] = field(default_factory=dict)  # median ms, by what was timed

    @property
    def measured(self) -> dict[str, Any]:
        """All results as JSON values."""
        found = {"difference": self.difference, "agreement": self.agreement, "metrics": self.metrics, "latency": self.latency}
        return {**found, **self.variants}

    def lines(self) -> list[str]:
        """The report for a terminal."""
        found = [f"{self.folder / name}  {size:,} bytes" for name, size in self.files.items()]
        if self.difference is not None:
            found.append(f"largest difference of an output from torch: {self.difference:.1e} (at most {TOLERANCE:.0e})")
        found.append("equal to the record: " + ", ".join(f"{name} {share:.2%}" for name, share in self.agreement.items()))
        variants = [f", {name} {self._shown(metrics)}" for name, metrics in self.variants.items()]
        found.append(f"{self.headline.label} {self._shown(self.metrics)}{''.join(variants)}")
        if self.latency:
            found.append("median ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in self.latency.items()))
        return found

    def _shown(self, metrics: Mapping[str, float]) -> str:
        return f"{self.headline.scale * metrics[self.headline.name]:.{self.headline.decimals + 1}f}"
