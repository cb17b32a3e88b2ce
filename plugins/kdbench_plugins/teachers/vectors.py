"""Files of vectors with an id each: a .npy file beside a list of ids, or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.texts import id_of
from kdbench_plugins.tables.parquet import parquet_file, read_group
from kdbench_plugins.tables.table import text_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

IDS = ".ids.txt"  # images.npy has its ids in images.ids.txt
SUFFIXES = (".npy", ".parquet")
SHOWN = 3


def ids_beside(path: Path) -> Path:
    """The list of ids of a .npy file."""
    return path.with_name(path.stem + IDS)


def files_of(path: Path) -> list[Path]:
    """The files that are read. Raises KdbenchError if one does not exist or has another suffix than .npy and .parquet."""
    if path.suffix.lower() not in SUFFIXES:
        raise KdbenchError(f"{path}: its name ends in {path.suffix!r}; expected {' or '.join(SUFFIXES)}")
    files = [path] if path.suffix.lower() == ".parquet" else [path, ids_beside(path)]
    for file in files:
        if not file.is_file():
            hint = "" if file == path else f": the ids of the rows of {path.name}, one a line"
            raise KdbenchError(f"{file}: found no such file; expected one{hint}")
    return files


@dataclass
class Vectors:
    """The vectors of a file, [n, d], and the row of each id. `id_column` and `vector_column` are those of a Parquet file.

    A .npy file stays on disk and is mapped into memory; of a Parquet file the two columns are read when they are first needed.
    Raises KdbenchError, with the file, for what is no such table, an id that is missing, and ids that stand twice.
    """

    path: Path
    id_column: str = "id"
    vector_column: str = "embedding"

    @property
    def width(self) -> int:
        return int(self._content[1].shape[1])

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those ids that the file has no vector of."""
        return [one for one in ids if one not in self._rows]

    def refuse_missing(self, ids: Sequence[str], what: str) -> None:
        """Raises KdbenchError with the number of missing ids and the first of them, if there are any."""
        if missing := self.missing(ids):
            shown, has = (", ".join(map(repr, some)) for some in (missing[:SHOWN], self._content[0][:SHOWN]))
            raise KdbenchError(
                f"{self.path}: found no vectors of {len(missing):,} of {len(ids):,} {what}, such as {shown}; expected one for "
                f"each. The file has {len(self._rows):,} ids, such as {has}"
            )

    def of(self, ids: Sequence[str], what: str) -> NDArray[np.float32]:
        """The vectors of ids, [B, d]. Raises KdbenchError for ids without one, and for vectors that have no direction."""
        import numpy as np

        self.refuse_missing(ids, what)
        found = np.asarray(self._content[1][[self._rows[one] for one in ids]], dtype=np.float32)
        norms = np.linalg.norm(found, axis=1)
        wrong = ~np.isfinite(norms) | (norms == 0)
        if wrong.any():
            shown = ", ".join(repr(ids[place]) for place in np.flatnonzero(wrong)[:SHOWN])
            raise KdbenchError(
                f"{self.path}: found {int(wrong.sum()):,} vectors of {what} that are zero or not finite, such as that of "
                f"{shown}; expected numbers with a direction"
            )
        return found

    @cached_property
    def _rows(self) -> dict[str, int]:
        ids = self._content[0]
        if "" in ids:
            raise KdbenchError(f"{self.path}: row {ids.index('') + 1}: found no id; expected one in every row")
        rows = {one: row for row, one in enumerate(ids)}
        if len(rows) < len(ids):
            twice = [one for one, times in Counter(ids).items() if times > 1]
            shown = ", ".join(map(repr, twice[:SHOWN]))
            raise KdbenchError(f"{self.path}: found {len(twice):,} ids more than once, such as {shown}; expected each once")
        return rows

    @cached_property
    def _content(self) -> tuple[list[str], NDArray[Any]]:
        return _parquet(self) if self.path.suffix.lower() == ".parquet" else _npy(self.path)


def _npy(path: Path) -> tuple[list[str], NDArray[Any]]:
    import numpy as np

    try:
        values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KdbenchError(f"{path}: cannot be read ({error}); expected an array of numpy.save") from error
    if values.ndim != 2 or values.dtype.kind != "f":
        raise KdbenchError(f"{path}: found {values.dtype} of shape {list(values.shape)}; expected floats [rows, width]")
    listed = ids_beside(path)
    ids = [line.strip() for line in text_of(listed).removesuffix("\n").split("\n")]
    if len(ids) != len(values):
        raise KdbenchError(f"{listed}: found {len(ids):,} lines; expected {len(values):,}, an id for each row of {path.name}")
    return ids, values


def _parquet(of: Vectors) -> tuple[list[str], NDArray[Any]]:
    import numpy as np

    path, ids = of.path, list[str]()
    with parquet_file(path) as file:
        for column in (of.id_column, of.vector_column):
            if column not in file.schema_arrow.names:
                raise KdbenchError(f"{path}: has no column {column!r}; {nearest(column, file.schema_arrow.names)}")
        parts = []
        for group in range(file.num_row_groups):
            table = read_group(path, file, group, [of.id_column, of.vector_column])
            first = len(ids)
            ids += [
                id_of(value, f"{path}: row {row}")
                for row, value in enumerate(table.column(of.id_column).to_pylist(), first + 1)
            ]
            parts.append(_matrix(table.column(of.vector_column).combine_chunks(), f"{path}: {of.vector_column}"))
    widths = sorted({part.shape[1] for part in parts if len(part)})
    if len(widths) != 1:
        raise KdbenchError(f"{path}: {of.vector_column}: found vectors of widths {widths}; expected vectors of one width")
    return ids, np.concatenate([part for part in parts if len(part)])


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
