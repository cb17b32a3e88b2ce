"""Parquet files as the `datasets` library writes them, and what their rows mean: against one comparison of all pairs."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.datasets.parquet import parquet_index
from kdbench_plugins.tables.parquet import parquet_table

SPLITS = {"train": "train", "val": "validation", "test": "test"}
Found = list[tuple[bytes, str, list[str]]]  # the bytes, split and captions of every image


@st.composite
def parquet_images(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows with one caption or several, of images whose names have lost their folders."""
    several = draw(st.booleans())
    texts = st.sampled_from(["a dog", "a cat", "a, b"])
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["1.jpg", "2.jpg", "photo.1.jpg", "photo.2.jpg", "a/1.jpg"]),
                    "bytes": st.sampled_from([b"one", b"two", b"three"]),
                    "split": st.sampled_from(list(SPLITS)),
                    "caption": st.lists(texts, min_size=1, max_size=2) if several else texts,
                }
            ),
            min_size=1,
            max_size=7,
        )
    )
    by_image = {(row["name"], row["bytes"]): row["split"] for row in rows}  # mostly one split an image
    return [row | {"split": by_image[row["name"], row["bytes"]]} for row in rows] if draw(st.integers(0, 4)) else rows


def images_agree(rows: list[dict[str, Any]], folder: Path) -> None:
    """No image is dropped or given the captions of another; images twice and in two splits are refused."""
    columns = {
        "image": [{"bytes": row["bytes"], "path": row["name"]} for row in rows],
        "caption": [row["caption"] for row in rows],
        "split": [row["split"] for row in rows],
    }
    with TemporaryDirectory(dir=folder) as place:
        pq.write_table(pa.table(columns), Path(place) / "t.parquet", row_group_size=3)
        assert read(Path(place)) == slow_images(rows)


def read(folder: Path) -> Found | None:
    index = parquet_index(folder, "flickr30k")
    assert index is not None
    try:
        return [(item.blob.read(), item.split, list(item.captions)) for item in index.read()]
    except KdbenchError:
        return None


def slow_images(rows: list[dict[str, Any]]) -> Found | None:
    """An image is a name with its bytes; its rows are in one split and, if there are several, hold one caption each."""
    found: Found = []
    for place, row in enumerate(rows):
        same = [other for other in rows if (other["name"], other["bytes"]) == (row["name"], row["bytes"])]
        if len({other["split"] for other in same}) > 1 or (len(same) > 1 and isinstance(row["caption"], list)):
            return None
        if rows.index(row) == place and same[0] is row:
            captions = [row["caption"]] if isinstance(row["caption"], str) else row["caption"]
            captions = captions if len(same) == 1 else [other["caption"] for other in same]
            found.append((row["bytes"], SPLITS[row["split"]], captions))
    return found


TEXTS = pa.table({"caption": [f"a dog number {number % 7}" for number in range(20)], "split": ["train", "test"] * 10})


def damaged_file_is_told(path: Path, compression: str, dictionary: bool, place: int, value: int | None) -> None:
    """A file with checksums, with one byte changed or all from there on lost, is refused or gives no other text.

    A byte of the index may rename a column or give it another type.
    """
    pq.write_table(TEXTS, path, compression=compression, use_dictionary=dictionary, write_page_checksum=True)
    data = path.read_bytes()
    place %= len(data)
    path.write_bytes(data[:place] + (b"" if value is None else bytes([value]) + data[place + 1 :]))
    try:
        rows = [row.values for row in parquet_table(path, TEXTS.column_names).rows]
    except KdbenchError:
        return
    assert value is not None
    assert len(rows) in (0, len(TEXTS))
    for row, written in zip(rows, TEXTS.to_pylist(), strict=False):
        assert all(text == written[name] for name, text in row.items() if isinstance(text, str))


damages = {
    "compression": st.sampled_from(["none", "snappy", "zstd"]),
    "dictionary": st.booleans(),
    "place": st.integers(0, 2000),
    "value": st.none() | st.integers(0, 255),
}
