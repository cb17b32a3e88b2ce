"""CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import io

from kdbench.reports.spreadsheet import csv_of


def test_text_is_no_formula() -> None:
    row = {"name": "=cmd|' /C calc'!A0", "+x": "@sum", "r": "\r=1", "d": -1.5, "n": None, "plain": "C = 1/T", "l": "a\x1b[31m"}
    (head, values) = csv.reader(io.StringIO(csv_of([row])))
    assert dict(zip(head, values, strict=True)) == {
        "name": "'=cmd|' /C calc'!A0",
        "'+x": "'@sum",
        "r": r"'\u000d=1",
        "d": "-1.5",
        "n": "",
        "plain": "C = 1/T",
        "l": r"a\u001b[31m",
    }


def test_without_rows_it_is_empty() -> None:
    assert csv_of([]) == ""
