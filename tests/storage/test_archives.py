"""Numbers out of archives that anybody may have made."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.storage.archives import numbers, whole_rows

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
        found, rows = numbers(content, 40), whole_rows(content, 40)
        assert list(found) == list(rows) == ["a", "b"]
        for name, array in found.items():
            np.testing.assert_array_equal(array, expected[name])
            np.testing.assert_array_equal(rows[name], expected[name])
            assert array.dtype == np.int32
            assert rows[name].dtype == np.int64


@given(
    arrays(st.sampled_from(["<f2", "<f4", ">f8"]), array_shapes(max_dims=3, max_side=4), elements=st.floats(-8, 8, width=16))
)
def test_it_reads_floats_of_any_shape(values: NDArray[Any]) -> None:
    for stored in (values, np.asfortranarray(values)):
        found = numbers(packed({"a": stored}), 64)["a"]
        np.testing.assert_array_equal(found, values)
        assert found.dtype == values.dtype


@pytest.mark.parametrize(("largest", "dtype"), [(2**31 - 1, np.int32), (2**31, np.int64), (2**62, np.int64)])
def test_whole_numbers_come_with_a_sign(largest: int, dtype: object) -> None:
    """A difference of unsigned ones would wrap around."""
    found = numbers(packed({"a": np.array([0, largest], np.uint64)}), 2)["a"]
    assert found.tolist() == [0, largest]
    assert found.dtype == np.dtype(dtype)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"a": np.arange(3), "b": np.zeros(10**6, dtype=int)}, "at most 4136 bytes each"),
        ({"a": np.arange(6)}, r"found int64 of shape \[6\], expected 1 to 5 numbers"),
        ({"a": np.ones((2, 3))}, r"found float64 of shape \[2, 3\], expected 1 to 5 numbers"),
        ({"a": np.arange(3), "b": np.arange(0)}, r"found int64 of shape \[0\]"),
        ({"a": np.array(3)}, r"found int64 of shape \[\]"),
        ({"a": np.arange(3), "b": np.array([object()] * 3)}, "found object"),
        ({"a": np.array(["x"])}, "found <U1"),
        ({"a": np.array([1j])}, "found complex128"),
        ({"a": np.array([True])}, "found bool"),
        ({"a": np.array([1.0, np.nan])}, "not finite"),
        ({"a": np.array([1.0, -np.inf])}, "not finite"),
        ({"a": np.array([1.0, -1e101])}, r"beyond 1e\+100"),
        ({"a": np.array([2**64 - 1], np.uint64)}, "found 18446744073709551615"),
        ({f"a{place}": np.arange(3) for place in range(65)}, "expected at most 64 arrays"),
    ],
)
def test_anything_else_is_refused(rows: Rows, told: str) -> None:
    with pytest.raises(RecordError, match=told):
        numbers(packed(rows), 5)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.ones(3), r"found float64 of shape \[3\] in 'a'"),
        (np.arange(4).reshape(2, 2), r"found int32 of shape \[2, 2\] in 'a'"),
    ],
)
def test_rows_of_anything_else_are_refused(values: NDArray[np.generic], told: str) -> None:
    with pytest.raises(RecordError, match=told):
        whole_rows(packed({"a": values}), 5)


def test_other_files_are_refused() -> None:
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        archive.writestr("notes.txt", b"")
    with pytest.raises(RecordError, match=r"it holds \['notes.txt'\], expected at most 64 arrays, NAME.npy each"):
        numbers(stream.getvalue(), 5)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused() -> None:
    """Readers differ in which one they take."""
    stream = io.BytesIO()
    with ZipFile(io.BytesIO(packed({"a": np.arange(3)}))) as one, ZipFile(stream, "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", one.read("a.npy"))
    with pytest.raises(RecordError, match="it holds"):
        numbers(stream.getvalue(), 5)


def test_damage_is_refused(tmp_path: Path) -> None:
    content = packed({"a": np.arange(3)})
    short = tmp_path / "short.npz"
    with ZipFile(short, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", np.lib.format.magic(1, 0) + b"v\0{'descr': '<i8'")
    for damaged in (b"", b"no zip", content[:-30], short.read_bytes()):
        with pytest.raises(RecordError):
            numbers(damaged, 5)


def test_arrays_that_are_not_compressed_are_read() -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.arange(3), b=np.arange(2))
    assert {name: values.tolist() for name, values in numbers(stream.getvalue(), 3).items()} == {"a": [0, 1, 2], "b": [0, 1]}


@given(st.data())
def test_an_altered_byte_is_noticed_as_zipfile_notices_it(data: st.DataObject) -> None:
    content = bytearray(packed({"a": np.arange(40), "b": np.arange(3)}))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = numbers(bytes(content), 40)
    except RecordError:
        return
    with ZipFile(io.BytesIO(content)) as members:
        for name, values in found.items():
            np.testing.assert_array_equal(np.load(io.BytesIO(members.read(f"{name}.npy"))), values)


def test_more_than_a_member_states_is_not_inflated() -> None:
    """A decompression bomb understates its size, and its checksum is that of what it states."""
    content = packed({"a": np.zeros(10**6, dtype=int)})
    with ZipFile(io.BytesIO(content)) as members:
        member, start = members.getinfo("a.npy"), members.read("a.npy")[:200]
    for true, stated in ((member.file_size, len(start)), (member.CRC, zlib.crc32(start))):
        content = content.replace(true.to_bytes(4, "little"), stated.to_bytes(4, "little"))
    with pytest.raises(RecordError, match="found int64 of shape \\[1000000\\], expected 1 to 9 numbers"):
        numbers(content, 9)


@pytest.mark.parametrize(("method", "told"), [(ZIP_DEFLATED, "Bad CRC-32"), (ZIP_BZIP2, "method 12"), (ZIP_LZMA, "method 14")])
def test_a_bomb_takes_no_more_memory_than_it_states(method: int, told: str) -> None:
    """Whatever packs it, and though its checksum is not that of what it states."""
    size, stream = 20 * 2**20, io.BytesIO()
    with ZipFile(stream, "w", method) as archive:
        archive.writestr("a.npy", bytes(size))
    content = stream.getvalue().replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(RecordError, match=told):
            numbers(content, 9)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
