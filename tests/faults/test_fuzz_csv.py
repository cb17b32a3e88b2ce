"""10,000 CSV and TSV files: their grammar, their rows as `folder` reads them, and damaged quotation marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import many
from tests.support.table_inputs import CSV_TEXTS, damaged, rows
from tests.support.table_properties import csv_agrees, one_mark_less, table_agrees

pytestmark = pytest.mark.fault("a strange or damaged CSV or TSV file")


@given(CSV_TEXTS, st.sampled_from(",\t"))
@many
def test_grammar(text: str, delimiter: str) -> None:
    csv_agrees(text, delimiter)


@given(rows(), st.sampled_from(["t.csv", "t.tsv"]))
@many
def test_rows(tmp_path: Path, table: list[dict[str, Any]], name: str) -> None:
    table_agrees(table, tmp_path / name)


@given(st.data())
@many
def test_quotation_marks(tmp_path: Path, data: st.DataObject) -> None:
    one_mark_less(tmp_path / "t.csv", data.draw(rows(good=True)), lambda text: data.draw(damaged(text, '"')))
