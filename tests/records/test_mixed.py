"""What rows differ in beside their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.records.files import read_record
from kdbench.records.mixed import mixed
from kdbench.records.parts import Part
from kdbench.records.record import Record
from kdbench.reports.results import load
from tests.support.made_records import made
from tests.support.toys import plugged, run_spec


def parts(content: str) -> dict[str, Part]:
    return {"teacher a": Part(package="kdbench", code="b" * 64, content=content * 64)}


def test_rows_taught_by_other_weights_of_one_name_are_told(tmp_path: Path) -> None:
    equal, fixed = run_spec(), run_spec(strategy=plugged("equal", "also"))
    one = made(tmp_path, spec=equal, parts=parts("a"))
    times: dict[str, Any] = {"started": "2025-01-02T00:00:00Z", "finished": "2025-01-02T00:00:10Z"}
    other = made(tmp_path, spec=fixed, parts=parts("c"), **times)
    records = [read_record(path) for path in (one, other)]
    (told,) = mixed(records)
    assert "teacher a: its files have changed" in told
    assert told in load(tmp_path).board.notes
    assert mixed(records[:1] * 2) == []
    assert mixed([records[0], records[1].model_copy(update={"parts": parts("a")})]) == []
    assert mixed([records[0], records[1].model_copy(update={"parts": {}})]) == []


def test_other_parameters_are_another_plugin(tmp_path: Path) -> None:
    spec = run_spec((plugged("sage", "a", width=3),))
    records = [
        read_record(made(tmp_path, spec=one, parts=parts(content))) for one, content in ((run_spec(("a",)), "a"), (spec, "c"))
    ]
    assert mixed(records) == []


def test_datasets_of_equal_squares_and_other_files_are_told(tmp_path: Path) -> None:
    """Their rows share a table: what students read is equal, what encoders of original pictures read may not be."""

    def record(name: str, suite: str, content: str) -> Record:
        spec = run_spec(dataset=plugged("beads", name), suite=suite)
        found = {f"dataset {name}": Part(package="kdbench", code="b" * 64, content=content * 64)}
        return read_record(made(tmp_path / f"{name}-{suite}-{content}", spec=spec, parts=found))

    one, other = record("wide", "toys", "a"), record("tall", "toys", "c")
    assert one.dataset_digest == other.dataset_digest
    (told,) = mixed([one, other])
    assert "tall of suite toys (cccccccc), wide of suite toys (aaaaaaaa)" in told
    assert "square images" in told
    assert mixed([one, record("tall", "toys", "a")]) == mixed([one, one]) == []
    assert len(mixed([one, record("wide", "others", "c")])) == 1
    assert mixed([one, other.model_copy(update={"dataset_digest": "f" * 64})]) == []
    assert mixed([one, other.model_copy(update={"parts": {}})]) == []
