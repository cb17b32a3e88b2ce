"""The report of an export for a terminal, in the words of the run's task."""

from __future__ import annotations

from pathlib import Path

from kdbench import Metric
from kdbench.deploy.export.report import ExportReport

ERROR = Metric("mse", "MSE", higher_is_better=False, headline=True, decimals=4)


def test_the_lines() -> None:
    report = ExportReport(
        folder=Path("out"),
        files={"a.onnx": 12345},
        difference=2.5e-7,
        agreement={"mse": 1.0, "mae": 0.5},
        headline=ERROR,
        metrics={"mse": 0.25, "mae": 9.0},
        variants={"int8": {"mse": 0.5}},
        latency={"forecast_batch1": 1.234},
    )
    assert report.lines() == [
        "out/a.onnx  12,345 bytes",
        "largest difference of an output from torch: 2.5e-07 (at most 1e-03)",
        "equal to the record: mse 100.00%, mae 50.00%",
        "MSE 0.25000, int8 0.50000",
        "median ms: forecast_batch1 1.23",
    ]


def test_a_format_that_was_not_compared() -> None:
    report = ExportReport(Path("out"), {}, None, {"mse": 1.0}, ERROR, {"mse": 0.25})
    assert report.lines() == ["equal to the record: mse 100.00%", "MSE 0.25000"]
