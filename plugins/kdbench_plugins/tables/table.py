"""A table as rows that know where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench import KdbenchError


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `number` counts from 1 without the header; `line` is that of the file, 0 in files without lines."""

    table: Path
    number: int
    line: int
    values: dict[str, Any]

    @property
    def where(self) -> str:
        """The place in messages: `t.csv: row 3`, with the line where it cannot be told from the row."""
        odd = self.line not in (0, self.number, self.number + 1)
        return f"{self.table}: row {self.number}{f' (line {self.line})' if odd else ''}"


@dataclass(frozen=True)
class Table:
    """The columns and rows of a file."""

    columns: list[str]
    rows: list[Row]


def text_of(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark. Raises KdbenchError with the line of other bytes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KdbenchError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise KdbenchError(
            f"{path}: cannot be read: line {line} is not UTF-8 (found the byte 0x{data[error.start]:02x}); save it as UTF-8"
        ) from error
