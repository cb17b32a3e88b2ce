"""The table of students in its four formats, read back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from kdbench.records.profile import Memory, PartProfile, Profile, Timing
from kdbench.reports.student_table import StudentsTable, students_table
from kdbench.reports.student_text import render_students

HEADERS = [
    *("student", "params (M) image / text / total", "GFLOPs image / text"),
    *("image @1 (ms)", "text @1 (ms)", "image @32 (ms)", "text @32 (ms)"),
    *("memory, baseline (MB)", "size (MB)", "search (ms)"),
]


def timing(median: float, iqr: float) -> Timing:
    return Timing(median_ms=median, iqr_ms=iqr, blocks=20)


def profile(name: str, id: str, million: float = 1.5, **changes: Any) -> Profile:
    fields: dict[str, Any] = {
        "id": id,
        "names": [name],
        "dataset": {"name": "shapes", "use": "shapes", "params": {}},
        "parts": {
            "image": PartProfile(
                parameters=int(million * 1e6), flops=2_000_000_000, latency={32: timing(80, 4.25), 1: timing(2.5, 0.125)}
            ),
            "text": PartProfile(parameters=750_000, flops=1_250_000, latency={1: timing(0.5, 0.01), 32: timing(12.5, 1)}),
        },
        "parameters": int(million * 1e6) + 750_001,
        "size_bytes": 9_020_000,
        "memory": Memory(kind="resident", peak_mb=512.4, before_mb=500, baseline_mb=300),
        "gallery": 1000,
        "search": timing(0.0125, 0.002),
        "unstable": False,
        "device": "cpu",
        "threads": 1,
        "host": {"id": "0a1b2c3d", "cpu": "A Processor"},
        "versions": {"torch": "2.9.0"},
        "commit": None,
        "dirty": None,
        "measured": "2025-01-01T00:00:00Z",
    }
    return Profile(**fields | changes)


@pytest.fixture
def tables() -> list[StudentsTable]:
    """Two students, one of whose timings varied, measured twice by the same name of the file; and one on a GPU."""
    large = profile("large", "a", 12.25, unstable=True, reasons=["text ms @1: IQR 30% of the median"])
    gpu = profile("small", "c", device="NVIDIA H100", memory=None)
    return students_table([large, profile("small", "b"), large, gpu])


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_devices_do_not_share_a_table(tables: list[StudentsTable]) -> None:
    assert [[row.student for row in table.rows] for table in tables] == [["small"], ["small", "large"]]
    assert [table.title for table in tables] == [
        "Students on NVIDIA H100 · 1 thread · torch 2.9.0 · shapes, gallery of 1,000",
        "Students on cpu (A Processor) · 1 thread · torch 2.9.0 · shapes, gallery of 1,000",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"host": {"id": "ffffffff", "cpu": "A Processor"}},
        {"threads": 2},
        {"versions": {"torch": "2.8.0"}},
        {"gallery": 900},
        {"dataset": {"name": "others", "use": "shapes", "params": {}}},
        {"gallery": None},
        {"parts": {"image": PartProfile(parameters=1, flops=1, latency={1: timing(1, 0)})}},
    ],
)
def test_what_does_not_compare_is_apart(change: dict[str, Any]) -> None:
    assert len(students_table([profile("one", "a"), profile("two", "b")])) == 1
    assert len(students_table([profile("one", "a"), profile("two", "b", **change)])) == 2


def test_markdown(tables: list[StudentsTable]) -> None:
    text = render_students(tables[1:], "markdown", wide=True)
    assert text.splitlines()[0] == f"**{tables[1].title}**"
    found = cells(text)
    assert found[0] == HEADERS
    times = ["2.50 (0.125)", "0.500 (0.0100)", "80.0 (4.25)", "12.5 (1.00)"]
    assert found[2] == ["small", "1.50 / 0.750 / 2.25", "2.00 / 0.00125", *times, "512 (300)", "9.02", "0.0125 (0.00200)"]
    assert found[3][:2] == ["large‡", "12.2 / 0.750 / 13.0"]
    assert text.splitlines()[-1] == "- ‡ unstable: large: text ms @1: IQR 30% of the median"
    assert len(found) == 4


def test_a_pipe_in_a_name_stays_in_its_cell() -> None:
    found = render_students(students_table([profile("half|half", "a")]), "markdown", wide=True).replace(r"\|", "")
    assert {len(row) for row in cells(found)} == {len(HEADERS)}


def test_table(tables: list[StudentsTable]) -> None:
    lines = render_students(tables).splitlines()
    assert lines[0] == tables[0].title
    assert lines[5].split() == [
        *("small", "1.50", "/", "0.750", "/", "2.25", "2.00", "/", "0.00125"),
        *("2.50", "(0.125)", "0.500", "(0.0100)", "80.0", "(4.25)", "12.5", "(1.00)", "–", "9.02", "0.0125", "(0.00200)"),
    ]
    assert tables[1].title in lines


@pytest.mark.parametrize("width", [60, 100, 140])
def test_a_table_fits_where_it_can(tables: list[StudentsTable], width: int) -> None:
    """Size and the latency of one input stay longest; what is left out is named."""
    text = render_students(tables, "table", width)
    assert max(map(len, text.splitlines())) <= width
    for table in text.split("Students on ")[1:]:
        dropped = " ".join(table.split()).partition("left out to fit: ")[2].partition("; --wide")[0]
        heads = [part.strip() for part in dropped.replace("memory, baseline", "memory; baseline").split(",")]
        assert {*heads} <= {name.replace(",", ";") for name in HEADERS}
        assert ("size (MB)" in heads) <= ("text @32 (ms)" in heads)
        assert "image @32 (ms)" in heads or width > 100
    assert "left out" not in render_students(tables, "table", 400)


def test_a_page_has_room_for_nine_columns(tables: list[StudentsTable]) -> None:
    text = render_students(tables[1:], "markdown")
    assert cells(text)[0] == [name for name in HEADERS if "@32" not in name]
    assert "- left out for a page: image @32 (ms), text @32 (ms); --wide shows all columns" in text


def test_csv(tables: list[StudentsTable]) -> None:
    rows = list(csv.DictReader(io.StringIO(render_students(tables, "csv"))))
    assert [(row["device"], row["student"]) for row in rows] == [
        ("NVIDIA H100", "small"),
        ("cpu (A Processor)", "small"),
        ("cpu (A Processor)", "large"),
    ]
    assert [float(rows[2][f"{name} params (M)"]) for name in ("image", "text", "total")] == [12.25, 0.75, 13.000001]
    assert (float(rows[1]["image @32 (ms)"]), float(rows[1]["image @32 IQR (ms)"])) == (80, 4.25)
    assert (float(rows[1]["text @1 (ms)"]), float(rows[1]["search IQR (ms)"])) == (0.5, 0.002)
    assert [row["memory (MB)"] for row in rows] == ["", "512.4", "512.4"]
    assert [row["unstable"] for row in rows] == ["", "", "text ms @1: IQR 30% of the median"]


def test_json(tables: list[StudentsTable]) -> None:
    content = json.loads(render_students(tables, "json"))
    assert [table["torch"] for table in content] == ["2.9.0", "2.9.0"]
    small = content[1]["rows"][0]
    assert small["latency"]["text @32"] == {"median_ms": 12.5, "iqr_ms": 1.0, "blocks": 20}
    assert small["memory"]["baseline_mb"] == 300
    assert content[0]["rows"][0]["memory"] is None


def test_figures_that_were_added_have_columns_of_their_own() -> None:
    table = students_table([profile("one", "a", extra={"ONNX image ms @1": 1.75}), profile("two", "b", 3)])
    found = cells(render_students(table, "markdown", wide=True))
    assert found[0] == [*HEADERS, "ONNX image ms @1"]
    assert [row[-1] for row in found[2:]] == ["1.75", "–"]


def test_small_and_large_numbers() -> None:
    tiny = PartProfile(parameters=880, flops=1728, latency={1: timing(1234.5, 0)})
    table = students_table([profile("toy", "a", parts={"image": tiny, "text": tiny}, parameters=1761)])
    (row,) = cells(render_students(table, "markdown"))[2:]
    assert row[1:4] == ["0.000880 / 0.000880 / 0.00176", "0.0000017 / 0.0000017", "1,234 (0)"]


def test_nothing_measured() -> None:
    assert students_table([]) == []
    assert [render_students([], style) for style in ("table", "markdown")] == ["", ""]
    assert json.loads(render_students([], "json")) == []
    assert render_students([], "csv") == ""


def test_parts_are_those_of_the_task_and_not_every_task_searches() -> None:
    part = PartProfile(parameters=2_000_000, flops=4_000_000_000, latency={8: timing(30, 1)})
    (table,) = students_table([profile("line", "a", parts={"forecast": part}, parameters=2_000_000, gallery=None, search=None)])
    assert table.parts == ["forecast"]
    assert table.title == "Students on cpu (A Processor) · 1 thread · torch 2.9.0 · shapes"
    found = cells(render_students([table], "markdown"))
    assert found[0] == [
        *("student", "params (M) forecast / total", "GFLOPs forecast", "forecast @8 (ms)", "memory, baseline (MB)", "size (MB)")
    ]
    assert found[2] == ["line", "2.00 / 2.00", "4.00", "30.0 (1.00)", "512 (300)", "9.02"]
    (row,) = csv.DictReader(io.StringIO(render_students([table], "csv")))
    assert "search (ms)" not in row
