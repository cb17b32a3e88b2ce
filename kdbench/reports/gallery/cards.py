"""Cards of queries: the query, what is right, and what each model put on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kdbench.contracts.shown import Hit, Item, Shown
from kdbench.contracts.task import Queries
from kdbench.reports.gallery.page import Answer, Candidate, Card

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

TOP = 5  # candidates on top
RIGHT = 5  # right candidates that are shown
Top = Callable[[Queries, int, int], Sequence[Hit]]  # queries, the index of one, at most so many


@dataclass(frozen=True)
class Model:
    """A model with the stored figures of its queries, by array; `top` and `outputs` are None if nothing but these is known."""

    name: str
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    top: Top | None = None
    outputs: Arrays | None = None

    def answer(self, shown: Shown | None, of: Queries, index: int, figure: str = "") -> Answer:
        """Its answer to a query, by default with its own figure."""
        told = figure or f"{of.figure} {of.text(self.values[of.array][index])}"
        if shown is None or self.top is None:
            return Answer(self.name, told)
        right = set(shown.right(of, index))
        hits = self.top(of, index, TOP)
        top = (Candidate(shown.candidate(of, hit.position), hit.score, hit.position in right) for hit in hits)
        return Answer(self.name, told, tuple(top))


@dataclass(frozen=True)
class Looked:
    """A test split, None if it cannot be shown, and models evaluated on it, by name; `notes` say what is missing."""

    shown: Shown | None
    models: Mapping[str, Model]
    notes: list[str] = field(default_factory=list)


def card(
    shown: Shown | None, of: Queries, index: int, answers: Sequence[Answer], models: Sequence[Model] = (), where: str = ""
) -> Card:
    """The card of a query; without a `shown`, with nothing but figures. `where` precedes its title, and `models` are drawn."""
    title = f"{where}{of.query} {index}" if named_alike(of) else f"{where}{of.label} {of.query} {index}"
    if shown is None:
        return Card(title, None, tuple(answers))
    positions = shown.right(of, index)
    right: tuple[Item, ...] = tuple(shown.candidate(of, position) for position in positions[:RIGHT])
    outputs = {model.name: model.outputs for model in models if model.outputs is not None}
    pictures = partial(shown.pictures, outputs, of, index)
    return Card(title, shown.query(of, index), tuple(answers), right, len(positions) - len(right), pictures)


def named_alike(of: Queries) -> bool:
    """Whether queries are called by the plural of what one is called, such as samples: one of the two words will do."""
    return of.label.startswith(of.query)
