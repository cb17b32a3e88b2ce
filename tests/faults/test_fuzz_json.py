"""10,000 JSON and JSONL files: their grammar and their rows as `folder` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import many
from tests.support.table_inputs import damaged, json_texts, rows
from tests.support.table_properties import json_agrees, json_lines_agree, table_agrees, write

pytestmark = pytest.mark.fault("a strange or damaged JSON or JSONL file")


@given(json_texts())
@many
def test_grammar(text: str) -> None:
    json_agrees(text)


@given(rows(), st.sampled_from(["t.jsonl", "t.json"]))
@many
def test_rows(tmp_path: Path, table: list[dict[str, Any]], name: str) -> None:
    table_agrees(table, tmp_path / name)


@given(st.data(), st.sampled_from(["t.jsonl", "t.json"]))
@many
def test_damaged_files(tmp_path: Path, data: st.DataObject, name: str) -> None:
    write(tmp_path / name, data.draw(rows()))
    text = data.draw(damaged((tmp_path / name).read_text(encoding="utf-8"), '",:{}[]\\\n'))
    (tmp_path / name).write_text(text, encoding="utf-8")
    json_lines_agree(tmp_path / name, text)
