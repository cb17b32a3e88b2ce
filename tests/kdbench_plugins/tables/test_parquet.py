"""Parquet tables: unique columns, intact pages, values that Python has types for."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.tables.parquet import parquet_table
from tests.support.fuzzing import some


def test_a_column_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["caption", "caption"]), path)
    with pytest.raises(KdbenchError, match=r"t.parquet: the column 'caption' stands twice in the file"):
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


@given(st.integers(0, 400), st.integers(0, 255))
@some
def test_pages_with_checksums_are_compared_with_them(tmp_path: Path, place: int, value: int) -> None:
    """A changed byte of the pages is found; in the file's index, it may also change what does not matter."""
    path = tmp_path / "t.parquet"
    table = pa.table({"caption": [f"a dog number {number}" for number in range(20)]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[place % (len(data) - 8)] = value
    path.write_bytes(data)
    try:
        found = [row.values for row in parquet_table(path, ["caption"]).rows]
    except KdbenchError:
        return
    assert found in (table.to_pylist(), [])  # none if the column has another name


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(KdbenchError, match="pip install"):
        parquet_table(tmp_path / "t.parquet", [])
