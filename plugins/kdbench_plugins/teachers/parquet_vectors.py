"""Vectors and their ids in a Parquet file, read column by column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.texts import id_of
from kdbench_plugins.tables.parquet import parquet_file, read_group

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray


def _column(path: Path, column: str) -> Iterator[pyarrow.Array]:
    """A column by row groups, those without rows left out."""
    with parquet_file(path) as file:
        if column not in file.schema_arrow.names:
            raise KdbenchError(f"{path}: has no column {column!r}; {nearest(column, file.schema_arrow.names)}")
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).num_rows:
                yield read_group(path, file, group, [column]).column(column).combine_chunks()


def parquet_ids(path: Path, column: str) -> list[str]:
    """A column of ids as text, empty where there is none. Raises KdbenchError for what is no id."""
    values = (value for part in _column(path, column) for value in part.to_pylist())
    return [id_of(value, f"{path}: row {row}") for row, value in enumerate(values, 1)]


def parquet_width(path: Path, column: str) -> int:
    """The width of the vectors in the first row group, which alone is read; 0 of a file without rows."""
    return next((int(part.shape[1]) for part in _parts(path, column)), 0)


def parquet_vectors(path: Path, column: str) -> NDArray[Any]:
    """A column of lists of floats as [rows, width]. Raises KdbenchError for another, and for lists of several lengths."""
    import numpy as np

    parts = list(_parts(path, column))
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) != 1:
        raise KdbenchError(f"{path}: {column}: found vectors of widths {widths}; expected vectors of one width")
    return np.concatenate(parts)


def _parts(path: Path, column: str) -> Iterator[NDArray[Any]]:
    return (_matrix(part, f"{path}: {column}") for part in _column(path, column))


def _matrix(column: pyarrow.Array, where: str) -> NDArray[Any]:
    """A column of lists of numbers as [rows, width]."""
    import numpy as np
    import pyarrow.compute

    kind = column.type
    lists = (pyarrow.types.is_list, pyarrow.types.is_large_list, pyarrow.types.is_fixed_size_list)
    if not any(of(kind) for of in lists) or not pyarrow.types.is_floating(kind.value_type):
        raise KdbenchError(f"{where}: found a column of {kind}; expected lists of floats")
    widths = pyarrow.compute.unique(pyarrow.compute.list_value_length(column)).to_pylist()
    values = column.flatten()
    if len(widths) > 1 or None in widths or values.null_count:
        found = sorted(str(width) if width is not None else "none" for width in widths)
        raise KdbenchError(
            f"{where}: found lists of lengths {', '.join(found)} with {values.null_count} numbers missing; expected a vector "
            "of one width in every row"
        )
    flat: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return flat.astype(np.float32 if flat.dtype == np.float64 else flat.dtype).reshape(len(column), -1)
