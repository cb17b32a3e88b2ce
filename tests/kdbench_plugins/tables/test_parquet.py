"""Parquet tables: unique columns, intact pages, values that Python has types for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from kdbench import KdbenchError
from kdbench_plugins.tables.parquet import parquet_table
from tests.support.fuzzing import some
from tests.support.parquet_properties import damaged_file_is_told, damages


def test_a_column_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["caption", "caption"]), path)
    with pytest.raises(KdbenchError, match=r"t.parquet: found the column 'caption' twice"):
        parquet_table(path, ["caption"])


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    """And no column that the names of folders would add."""
    (tmp_path / "split=train").mkdir()
    path = tmp_path / "split=train" / "t.parquet"
    pq.write_table(pa.table({"caption": ["a", "b"], "bytes": [b"1", b"2"]}), path)
    found = parquet_table(path, ["caption", "split"])
    assert found.columns == ["caption", "bytes"]
    assert [row.values for row in found.rows] == [{"caption": "a"}, {"caption": "b"}]
    assert [row.where for row in found.rows] == [f"{path}: row 1", f"{path}: row 2"]


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    raw = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    pq.write_table(pa.table({"caption": raw}), path)
    with pytest.raises(KdbenchError, match=r"t.parquet: is not a complete Parquet file .*utf-8"):
        parquet_table(path, ["caption"])


@given(**damages)
@some
def test_damage_is_told(tmp_path: Path, **damage: Any) -> None:
    damaged_file_is_told(tmp_path / "t.parquet", **damage)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(KdbenchError, match="pip install"):
        parquet_table(tmp_path / "t.parquet", [])


def test_more_rows_than_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"caption": pa.array(["x"]).take(pa.array([0] * 200_000))}), path, compression="zstd")
    with pytest.raises(KdbenchError, match=r"t.parquet: found 200,000 rows in [\d,]+ bytes; expected at least a byte for each"):
        parquet_table(path, ["caption"])
