"""A plugin of pytest that counts faults: how many were tried, were survived, cost finished work (`Lost`), gave something wrong.

A test names its fault by `@pytest.mark.fault(name, times=1)`; of fuzzers, every input counts. `make faults` loads this plugin.
Each process appends a line of JSON for each test to the file that KDBENCH_FAULTS names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import fuzzing

VARIABLE = "KDBENCH_FAULTS"


class Lost(AssertionError):
    """What was finished before a fault is gone, or is not finished after it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "setup":
        fuzzing.tried = 0
    if (call.when == "call" or not report.passed) and (mark := item.get_closest_marker("fault")):
        line = counted(mark, report, call.excinfo is not None and call.excinfo.errisinstance(Lost))
        with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
    return report


def counted(mark: pytest.Mark, report: pytest.TestReport, lost: bool) -> dict[str, object]:
    """What a test adds to the table."""
    line: dict[str, object] = {"fault": mark.args[0]}
    if report.skipped:
        return line | {"skipped": report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""}
    tried = fuzzing.tried or int(mark.kwargs.get("times", 1))
    failed = 0 if report.passed else 1
    return line | {
        "tried": tried,
        "survived": tried - failed if fuzzing.tried or not failed else 0,  # what came after the failure was not tried
        "lost": failed if lost else 0,
        "wrong": 0 if lost else failed,
    }
