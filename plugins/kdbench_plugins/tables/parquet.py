"""Parquet files: columns by name, refused where a name is not unique or the file is damaged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench import KdbenchError
from kdbench.errors import of_machine
from kdbench_plugins.tables.table import Row, Table

if TYPE_CHECKING:
    import pyarrow.parquet


PLENTY = 100_000  # rows that may be in a file of any size


@contextmanager
def parquet_file(path: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    """The opened file. Raises KdbenchError if pyarrow is missing, a column's name stands twice, or anything cannot be read.

    Pages are compared with their checksums where the file has any.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise KdbenchError(f"{path}: reading Parquet needs pyarrow: pip install 'kdbench[parquet]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise KdbenchError(f"{path}: found the column {twice[0]!r} twice; expected each once. Rename one")
            _refuse_bomb(path, file.metadata.num_rows)
            yield file
    # ValueError: values that Python has no type for, such as text that is not UTF-8 and dates of the year 10000.
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        if of_machine(error):
            raise
        raise KdbenchError(f"{path}: is not a complete Parquet file ({error}); download or write it again") from error


def _refuse_bomb(path: Path, rows: int) -> None:
    """Raises KdbenchError for more rows than bytes: equal values take no room in a file, and all of it in memory."""
    size = path.stat().st_size
    if rows > max(size, PLENTY):
        raise KdbenchError(f"{path}: found {rows:,} rows in {size:,} bytes; expected at least a byte for each: write it again")


def read_group(path: Path, file: pyarrow.parquet.ParquetFile, group: int, columns: Sequence[str]) -> pyarrow.Table:
    """Some columns of one row group. Raises KdbenchError if it holds other than the number of rows that the file states.

    pyarrow returns fewer rows without an error where the header of a page is damaged.
    """
    found = file.read_row_group(group, columns=list(columns))
    stated = file.metadata.row_group(group).num_rows
    if len(found) != stated:
        raise KdbenchError(
            f"{path}: is not a complete Parquet file (row group {group}: found {len(found):,} rows, expected {stated:,}); "
            "download or write it again"
        )
    return found


def parquet_table(path: Path, wanted: Collection[str]) -> Table:
    """The columns in `wanted` that a file has; `columns` are all that it has."""
    with parquet_file(path) as file:
        columns = list(file.schema_arrow.names)
        chosen = [name for name in columns if name in wanted]
        groups = range(file.num_row_groups if chosen else 0)
        found = [values for group in groups for values in read_group(path, file, group, chosen).to_pylist()]
    return Table(columns, [Row(path, number, 0, values) for number, values in enumerate(found, 1)])
