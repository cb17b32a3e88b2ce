"""A test split as a person looks at it: queries and candidates in words and pictures, and what a model puts on top."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.contracts.values import Owned
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.task import Queries
    from kdbench.contracts.values import Arrays


@dataclass(frozen=True)
class Item:
    """A query or a candidate.

    `name` finds it: a file, an id, a position. A text has `text`, a picture `about`: the texts that go with it. `picture` reads
    RGB pixels, uint8 [H, W, 3]: of a picture, or of one that a text was written for; it raises KdbenchError or OSError if they
    cannot be read. Names and texts come with the dataset: they may hold any character.
    """

    name: str
    text: str = ""
    about: Sequence[str] = ()
    picture: Callable[[], NDArray[np.uint8]] | None = None


@dataclass(frozen=True)
class Hit:
    """A candidate by its position, with the score that a model gives it; higher is nearer."""

    position: int
    score: float


@dataclass(frozen=True)
class Picture:
    """A picture that a task has drawn of a query: a PNG file, of several frames if it `moves`.

    `caption` says in words what is to be seen, scales included. Pages enlarge it so that pixels stay squares, unless it is
    `drawn` with lines and text.
    """

    caption: str
    png: bytes
    moves: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Found:
    """The answer to a query that is not in the split: whose candidates were searched, the query, the best first."""

    of: Queries
    query: Item
    hits: Sequence[Hit]


class Shown(ABC):
    """The test split of a dataset. Queries of an array and their candidates are counted from 0, as in stored arrays."""

    @abstractmethod
    def query(self, of: Queries, index: int) -> Item:
        """The query `index` of an array."""

    @abstractmethod
    def candidate(self, of: Queries, position: int) -> Item:
        """What is retrieved by queries of an array."""

    @abstractmethod
    def right(self, of: Queries, index: int) -> Sequence[int]:
        """The positions of all right candidates of a query."""

    @abstractmethod
    def outputs(self, model: Owned, batch_size: int, device: str) -> Arrays:
        """A model's outputs on the split, which `top` and `search` read: arrays that are kept in the cache.

        `model` is a student (with a `module`, in eval mode) or a teacher. Only called if the split is of opened data
        (`Task.open`).
        """

    @abstractmethod
    def top(self, outputs: Arrays, of: Queries, index: int, most: int) -> Sequence[Hit]:
        """At most `most` candidates of a query, best first. Ties are ordered as its stored figure counts them."""

    def pictures(self, outputs: Mapping[str, Arrays], of: Queries, index: int) -> Sequence[Picture]:  # noqa: ARG002
        """Pictures of a query with the outputs of models by name, which may be none. By default none."""
        return ()

    def search(self, student: Owned, outputs: Arrays, query: str | Path, most: int) -> Found:  # noqa: ARG002
        """Searches the split by a text or by a picture file. Raises KdbenchError if the file is no picture.

        By default, raises KdbenchError: there is nothing to search.
        """
        raise KdbenchError("this task has no gallery to search")
