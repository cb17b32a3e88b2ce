"""Files of vectors with an id each: a .npy file beside a list of ids, or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench_plugins.tables.table import text_of
from kdbench_plugins.teachers.parquet_vectors import parquet_ids, parquet_vectors, parquet_width

if TYPE_CHECKING:
    import numpy as np
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

    A .npy file stays on disk and is mapped into memory. The columns of a Parquet file are read when they are first needed: the
    vectors only if embeddings are not in the cache.
    Raises KdbenchError, with the file, for what is no such table, an id that is missing, and ids that stand twice.
    """

    path: Path
    id_column: str = "id"
    vector_column: str = "embedding"

    @cached_property
    def width(self) -> int:
        """Of one vector; of a Parquet file a single row group is read for it."""
        return parquet_width(self.path, self.vector_column) if self._is_parquet else int(self._values.shape[1])

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those ids that the file has no vector of."""
        return [one for one in ids if one not in self._rows]

    def refuse_missing(self, ids: Sequence[str], what: str) -> None:
        """Raises KdbenchError with the number of missing ids and the first of them, if there are any."""
        if missing := self.missing(ids):
            shown, has = (", ".join(map(repr, some)) for some in (missing[:SHOWN], self._ids[:SHOWN]))
            raise KdbenchError(
                f"{self.path}: found no vectors of {len(missing):,} of {len(ids):,} {what}, such as {shown}; expected one for "
                f"each. The file has {len(self._rows):,} ids, such as {has}"
            )

    def of(self, ids: Sequence[str], what: str) -> NDArray[np.float32]:
        """The vectors of ids, [B, d]. Raises KdbenchError for ids without one, and for vectors that have no direction."""
        import numpy as np

        self.refuse_missing(ids, what)
        found = np.asarray(self._values[[self._rows[one] for one in ids]], dtype=np.float32)
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
        ids = self._ids
        if "" in ids:
            raise KdbenchError(f"{self.path}: row {ids.index('') + 1}: found no id; expected one in every row")
        rows = {one: row for row, one in enumerate(ids)}
        if len(rows) < len(ids):
            twice = [one for one, times in Counter(ids).items() if times > 1]
            shown = ", ".join(map(repr, twice[:SHOWN]))
            raise KdbenchError(f"{self.path}: found {len(twice):,} ids more than once, such as {shown}; expected each once")
        return rows

    @property
    def _is_parquet(self) -> bool:
        return self.path.suffix.lower() == ".parquet"

    @cached_property
    def _ids(self) -> list[str]:
        return parquet_ids(self.path, self.id_column) if self._is_parquet else _npy_ids(self.path, len(self._values))

    @cached_property
    def _values(self) -> NDArray[Any]:
        return parquet_vectors(self.path, self.vector_column) if self._is_parquet else _npy(self.path)


def _npy(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KdbenchError(f"{path}: cannot be read ({error}); expected an array of numpy.save") from error
    if values.ndim != 2 or values.dtype.kind != "f":
        raise KdbenchError(f"{path}: found {values.dtype} of shape {list(values.shape)}; expected floats [rows, width]")
    found: NDArray[Any] = values
    return found


def _npy_ids(path: Path, count: int) -> list[str]:
    listed = ids_beside(path)
    ids = [line.strip() for line in text_of(listed).removesuffix("\n").split("\n")]
    if len(ids) != count:
        raise KdbenchError(f"{listed}: found {len(ids):,} lines; expected {count:,}, an id for each row of {path.name}")
    return ids
