"""A page of queries with what models put on top, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdbench.contracts.shown import Item, Picture


@dataclass(frozen=True)
class Candidate:
    """A candidate that a model put on top; `right` is None for a query whose answer nobody knows."""

    item: Item
    score: float
    right: bool | None = None


@dataclass(frozen=True)
class Answer:
    """A model's answer to a query: a figure, such as `retrieval rank 3`, and its best candidates if its weights are kept.

    `note` is a remark on these candidates, if they are not what the figure is of.
    """

    model: str
    figure: str
    top: tuple[Candidate, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Card:
    """A query with the answers of all models; `right` are its right candidates, of which `more` are left out.

    Without a `query` nothing is known of it but its `title`. `pictures` draws what the task shows of the answers.
    """

    title: str
    query: Item | None
    answers: tuple[Answer, ...]
    right: tuple[Item, ...] = ()
    more: int = 0
    pictures: Callable[[], Sequence[Picture]] = tuple


@dataclass(frozen=True)
class Section:
    title: str
    cards: tuple[Card, ...]
    about: str = ""


@dataclass(frozen=True)
class Page:
    """`lead` is what to read first, `facts` are further lines; `licence` is that of the dataset."""

    title: str
    lead: str
    sections: list[Section]
    facts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    licence: str = ""

    @property
    def tops(self) -> bool:
        """Whether what models put on top is known of any card."""
        return any(answer.top for section in self.sections for card in section.cards for answer in card.answers)
