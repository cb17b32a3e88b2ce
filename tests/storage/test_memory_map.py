"""Rows of files: the same as of arrays in memory, without the file's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.storage import memory_map as rows
from kdbench.storage.memory_map import blocks, let_go, take

SHAPES: list[tuple[int, ...]] = [(50,), (50, 3), (50, 2, 4, 3), (50, 0)]


def stored(folder: Path, values: NDArray[Any], mode: Any = "r") -> NDArray[Any]:
    np.save(folder / "values.npy", values)
    found: NDArray[Any] = np.load(folder / "values.npy", mmap_mode=mode)
    return found


@pytest.fixture(params=[0, rows.RESIDENT], ids=["large", "small"], autouse=True)
def resident(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Files as too large to stay in memory, and as small enough."""
    monkeypatch.setattr(rows, "RESIDENT", request.param)
    return int(request.param)


def numbers(shape: tuple[int, ...], dtype: type = np.float16) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.uint8])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("places", [[], [0], [49, 0, 7, 7, 21]])
def test_rows_of_a_file_are_those_of_the_array(tmp_path: Path, shape: tuple[int, ...], dtype: type, places: list[int]) -> None:
    values = numbers(shape, dtype)
    for given in (stored(tmp_path, values), values, stored(tmp_path, values)[3:][:20], stored(tmp_path, values, "r+")):
        chosen = np.array([place % len(given) for place in places], dtype=np.int64)
        found = take(given, chosen)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, np.array(given)[chosen])
        found[...] = 0  # the caller's own, though the map cannot be written to


def test_a_file_in_another_order_is_read_too(tmp_path: Path) -> None:
    values = np.asfortranarray(numbers((50, 3)))
    mapped = stored(tmp_path, values)
    assert mapped.flags.f_contiguous
    np.testing.assert_array_equal(take(mapped, np.array([4, 2])), values[[4, 2]])


@pytest.mark.parametrize("place", [50, -1])
def test_there_are_no_rows_beyond_the_ends(tmp_path: Path, place: int) -> None:
    with pytest.raises(IndexError, match=f"row {place} of 50"):
        take(stored(tmp_path, numbers((50, 3))), np.array([0, place]))


def test_a_file_that_was_cut_is_an_error_and_no_rows(tmp_path: Path) -> None:
    mapped = stored(tmp_path, numbers((50, 3)))
    with (tmp_path / "values.npy").open("r+b") as file:
        file.truncate(200)
    with pytest.raises(OSError, match="row 49"):
        take(mapped, np.array([1, 49]))


@pytest.mark.parametrize("size", [1, 7, 50, 99])
def test_blocks_are_the_whole_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(rows, "BLOCK", size)
    values = numbers((50, 3))
    for given in (values, stored(tmp_path, values)):
        found = [(start, block.copy()) for start, block in blocks(given)]
        assert [start for start, _ in found] == list(range(0, 50, size))
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), values)


def mapped_kb(path: Path) -> int:
    """What this process holds of a file."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    found, inside = 0, False
    for line in lines:
        if "-" in line.split(" ")[0] and not line.split(" ")[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell")
def test_rows_and_blocks_of_large_files_leave_no_pages_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 1000)
    values = numbers((4000, 512))  # 4 MB
    mapped, path = stored(tmp_path, values), tmp_path / "values.npy"
    take(mapped, np.arange(0, 4000, 3))
    assert (mapped_kb(path) > 0) == (resident > 0)
    let_go(mapped)
    assert sum(float(block.sum(dtype=np.float64)) for _, block in blocks(mapped)) > 0
    assert mapped_kb(path) == 0
    assert float(mapped.sum(dtype=np.float64)) > 0
    assert mapped_kb(path) > 3000  # it can be seen where there are any
    let_go(mapped)
    assert mapped_kb(path) == 0
    np.testing.assert_array_equal(mapped, values)


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_what_was_written_stays(tmp_path: Path, mode: str) -> None:
    mapped = stored(tmp_path, numbers((4000, 5)), mode)
    mapped[7] = 3
    let_go(mapped)
    assert mapped[7].tolist() == [3] * 5
