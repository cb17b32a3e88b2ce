"""Cards as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from kdbench.contracts.shown import Item
from kdbench.reports.gallery.page import Answer, Candidate, Card, Page
from kdbench.reports.plots.labels import clean

LONGEST = 60  # characters of a text
CORRECT = "✓"
MARGIN = 4


def card_lines(card: Card, names: Sequence[str], width: int | None = None) -> list[str]:
    """The query, its right candidates, and what is on top of each model, called by `names`."""
    if card.query is None:
        return []
    rest = f" and {card.more} more" if card.more else ""
    right = ", ".join(map(in_words, card.right)) + rest
    parts = [("query", in_words(card.query)), ("right", right)]
    parts += [(name, _top(answer)) for name, answer in zip(names, card.answers, strict=True) if answer.top]
    label = max(len(name) for name, _ in parts)
    return [line for name, text in parts for line in _hung(name, text, label, width)]


def in_words(item: Item) -> str:
    """A text in quotes; a picture by its name and the first text that goes with it."""
    if item.text:
        return _quoted(item.text)
    return f"{clean(item.name)} {_quoted(item.about[0])}" if item.about else clean(item.name)


def _top(answer: Answer) -> str:
    remark = f"({answer.note}) " if answer.note else ""
    return remark + ", ".join(map(_candidate, answer.top))


def _candidate(candidate: Candidate) -> str:
    return f"{CORRECT} {in_words(candidate.item)}" if candidate.right else in_words(candidate.item)


def _quoted(text: str) -> str:
    text = clean(text)
    return f"“{text if len(text) <= LONGEST else f'{text[: LONGEST - 1]}…'}”"


def _hung(name: str, text: str, label: int, width: int | None) -> Iterator[str]:
    """A label and text, whose further lines begin below its first."""
    indent = " " * (MARGIN + label + 2)
    whole = f"{' ' * MARGIN}{name:<{label}}  {text}"
    if width is None:
        yield whole
        return
    yield from textwrap.wrap(
        whole, max(width, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def result_lines(page: Page, width: int | None = None) -> list[str]:
    """The results of a search: place, score, name or text, and what goes with it."""
    top = [one for section in page.sections for card in section.cards for answer in card.answers for one in answer.top]
    head = f"{page.title} in the test split, by {'; '.join(page.facts)}"
    names = [_quoted(one.item.text) if one.item.text else clean(one.item.name) for one in top]
    longest = max(map(len, names), default=0)
    lines = [
        f"{place:>3}  {one.score:6.3f}  {name:<{longest}}  {' · '.join(map(clean, one.item.about))}".rstrip()
        for place, (one, name) in enumerate(zip(top, names, strict=True), 1)
    ]
    return [head, "", *(line if width is None or len(line) <= width else f"{line[: width - 1]}…" for line in lines)]
