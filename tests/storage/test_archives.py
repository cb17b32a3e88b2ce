"""Whole numbers out of archives that anybody may have made."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.storage.archives import whole_numbers

Rows = dict[str, "NDArray[np.generic]"]


def packed(rows: Rows) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **rows)  # type: ignore[arg-type]
    return stream.getvalue()


@given(
    st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=40),
    st.sampled_from(["uint16", "int32", "uint32", "int64", ">i4"]),
)
def test_it_reads_what_numpy_reads(values: list[int], dtype: str) -> None:
    content = packed({"a": np.array(values).astype(dtype), "b": np.array(values[::-1]).astype(dtype)})
    with np.load(io.BytesIO(content), allow_pickle=False) as expected:
        b, a = whole_numbers(content, ("b", "a"), 40)
        np.testing.assert_array_equal(a, expected["a"])
        np.testing.assert_array_equal(b, expected["b"])
        assert a.dtype == expected["a"].dtype


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"a": np.arange(3)}, "expected a.npy and b.npy"),
        ({"a": np.arange(3), "b": np.arange(3), "c": np.arange(3)}, "expected a.npy and b.npy"),
        ({"a": np.arange(3), "b": np.zeros(10**6, dtype=int)}, "of at most 4136 bytes"),
        ({"a": np.arange(3), "b": np.ones(3)}, r"found float64 of shape \[3\]"),
        ({"a": np.arange(3), "b": np.arange(4).reshape(2, 2)}, r"found int64 of shape \[2, 2\]"),
        ({"a": np.arange(3), "b": np.arange(0)}, r"found int64 of shape \[0\]"),
        ({"a": np.arange(3), "b": np.array([object()] * 3)}, "found object"),
    ],
)
def test_anything_else_is_refused(rows: Rows, told: str) -> None:
    with pytest.raises(RecordError, match=told):
        whole_numbers(packed(rows), ("a", "b"), 5)


def test_damage_is_refused(tmp_path: Path) -> None:
    content = packed({"a": np.arange(3)})
    short = tmp_path / "short.npz"
    with ZipFile(short, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", np.lib.format.magic(1, 0) + b"v\0{'descr': '<i8'")
    for damaged in (b"", b"no zip", content[:-30], short.read_bytes()):
        with pytest.raises(RecordError):
            whole_numbers(damaged, ("a",), 5)
