"""What only the trace beside a record shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.records.verify import verify
from kdbench.storage.digest import file_digest
from tests.support.made_records import Damage, check_refused, edit, made, set_in, trace_path, whats


def trace_edited(change: Callable[[dict[str, Any]], object]) -> Damage:
    """With the record's sum of it brought up to date."""

    def damage(path: Path, _: list[Path]) -> None:
        edit(trace_path(path), change)
        edit(path, lambda record: record.update(trace_sha256=file_digest(trace_path(path))))

    return damage


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a weight a little off": (set_in("weights", "a", to=6.75 / 12 + 1e-5), "weights.a does not follow from the trace"),
    "the dynamics": (set_in("dynamics", "gradient_cosine", to=0.5), "dynamics.gradient_cosine does not follow from the trace"),
    "a trace swapped": (lambda path, others: shutil.copy(trace_path(others[0]), trace_path(path)), "trace unusable"),
    "a trace from nowhere": (set_in("trace_sha256", to=None), "a trace that its record does not name"),
    "a trace shorter": (trace_edited(lambda trace: trace.update(step=[5, 10, 11])), "the last step"),
    "a trace that stands still": (trace_edited(lambda trace: trace.update(step=[5, 5, 12])), "trace unusable"),
    "a trace without steps": (trace_edited(lambda trace: trace.pop("step")), "trace unusable"),
    "a trace with nothing": (trace_edited(lambda trace: trace.clear()), "the last step"),
    "a column cut short": (trace_edited(lambda trace: trace["weights"]["a"].pop()), "trace unusable"),
    "a column without numbers": (trace_edited(lambda trace: trace.update(loss=["a", "b", "c"])), "trace unusable"),
    "weights gone": (trace_edited(lambda trace: trace.pop("weights")), "weights.a does not follow from the trace"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_is_named_and_the_rest_stays_usable(name: str, tmp_path: Path) -> None:
    check_refused(tmp_path, *DAMAGES[name])


def test_records_without_traces(tmp_path: Path) -> None:
    made(tmp_path, trace=False)
    assert whats(verify([tmp_path])[1]) == []
