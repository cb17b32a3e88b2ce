"""The table in a file of any supported form."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from kdbench import KdbenchError
from kdbench_plugins.tables.csv_text import CsvFault, Record, records
from kdbench_plugins.tables.json_text import JsonFault, parsed
from kdbench_plugins.tables.parquet import parquet_table
from kdbench_plugins.tables.table import Row, Table, text_of

MOST = 10  # rows that one message names


def read_table(path: Path, wanted: Collection[str], words: Collection[str] = ()) -> Table:
    """The table in a .csv, .tsv, .jsonl, .json or .parquet file.

    Of a Parquet file, only the columns in `wanted` are read. `words` are values of which every row holds one, such as names of
    splits; by them a quotation mark that is never closed is found. Raises KdbenchError with the file and the row.
    """
    readers: dict[str, Callable[[], Table]] = {
        ".csv": lambda: csv_table(path, ",", words),
        ".jsonl": lambda: jsonl_table(path),
        ".parquet": lambda: parquet_table(path, wanted),
        ".tsv": lambda: csv_table(path, "\t", words),
        ".json": lambda: json_table(path),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise KdbenchError(f"{path}: its name ends in {path.suffix!r}, expected {', '.join(readers)}")
    return reader()


def csv_table(path: Path, delimiter: str = ",", words: Collection[str] = ()) -> Table:
    """A CSV file with a header. Raises KdbenchError for a column named twice and all rows with more or fewer fields."""
    rows: list[Row] = []
    columns: list[str] = []
    faults: list[str] = []
    try:
        for record in records(text_of(path), delimiter):
            if not columns:
                columns = _header(path, record, delimiter)
                continue
            row = Row(path, len(rows) + 1, record.line, dict(zip(columns, record.fields, strict=False)))
            faults += _faults(row, record, columns, delimiter, words)
            rows.append(row)
    except CsvFault as fault:  # what follows cannot be split into rows
        told = f"{path}: row {len(rows) + 1}, {fault}" if columns else f"{path}: {fault}"
        raise KdbenchError(_listed([*faults[: MOST - 1], told], len(faults) + 1)) from fault
    if faults:
        raise KdbenchError(_listed(faults[:MOST], len(faults)))
    return Table([name for name in columns if name], rows)


def csv_header(path: Path) -> list[str]:
    """The column names in the first line of a CSV file; none if it is some other file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next(records(stream.readline(), ","), None)
    except (OSError, UnicodeDecodeError, CsvFault):
        return []
    return [name.strip() for name in first.fields] if first else []


def _header(path: Path, record: Record, delimiter: str) -> list[str]:
    columns = [name.strip() for name in record.fields]
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise KdbenchError(f"{path}: line {record.line}: found the column {twice[0]!r} twice; expected each once. Rename one")
    if len(columns) == 1 and (other := next((sign for sign in ";|\t" if sign in columns[0]), "")):
        raise KdbenchError(f"{path}: line {record.line}: found {other!r} between the columns; expected {delimiter!r}")
    return columns


def _listed(told: list[str], count: int) -> str:
    """A line for each fault that is told, and one that counts the others."""
    return "\n".join([*told, *([f"and {count - len(told)} more such rows"] if count > len(told) else [])])


def _faults(row: Row, record: Record, columns: list[str], delimiter: str, words: Collection[str]) -> list[str]:
    """What is wrong with a row: at most one thing."""
    count, last = len(record.fields), record.line + len(record.lines) - 1
    line = f"in line {record.line}"
    if len(record.lines) > 1 and record.swallows(delimiter, words):
        return [
            f"{row.where}: found a quoted field from line {record.line} to line {last} that holds whole rows; expected one "
            f"row. Close the quotation mark on line {record.line}"
        ]
    if count != len(columns):
        hint = "Quote text that holds a delimiter" if count > len(columns) else "Is the file truncated?"
        return [f"{row.where}: found {count} fields {line}; expected {len(columns)}, as in the header. {hint}"]
    # pandas writes its index as a first column without a name. A value in another one belongs to text that was not quoted.
    for position, name in enumerate(columns):
        if position and not name and record.fields[position].strip():
            found = f"{record.fields[position][:40]!r} in column {position + 1} {line}, which the header does not name"
            return [f"{row.where}: found {found}; expected nothing there. Quote text that holds a delimiter"]
    return []


def jsonl_table(path: Path) -> Table:
    """A file with an object on every line; empty lines are skipped."""
    rows: list[Row] = []
    for line, text in enumerate(text_of(path).split("\n"), 1):
        if not text.strip():
            continue
        try:
            values = parsed(text, whole=False)
        except JsonFault as fault:
            raise KdbenchError(f"{path}: row {len(rows) + 1}: line {line} is not JSON ({fault})") from fault
        if not isinstance(values, dict):
            raise KdbenchError(
                f"{path}: row {len(rows) + 1}: line {line} is {text[:40]!r}, expected an object with the columns"
            )
        rows.append(Row(path, len(rows) + 1, line, values))
    return Table(list(rows[0].values) if rows else [], rows)


def json_table(path: Path) -> Table:
    """A file with one list of objects."""
    try:
        found: Any = parsed(text_of(path), whole=False)
    except JsonFault as fault:
        raise KdbenchError(f"{path}: is not JSON ({fault})") from fault
    if not isinstance(found, list):
        raise KdbenchError(f"{path}: found {type(found).__name__}, expected a list of objects, one for every row")
    for number, values in enumerate(found, 1):
        if not isinstance(values, dict):
            raise KdbenchError(f"{path}: row {number} is {repr(values)[:40]}, expected an object with the columns")
    rows = [Row(path, number, 0, values) for number, values in enumerate(found, 1)]
    return Table(list(found[0]) if rows else [], rows)
