"""Cards as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from kdbench.contracts.shown import Item
from kdbench.reports.gallery.page import Answer, Candidate, Card, Page
from kdbench.reports.plots.labels import clean

LONGEST = 60  # characters of a text
CORRECT = "✓"
MARGIN = 4
NARROWEST = 40  # characters of a line


def card_lines(card: Card, names: Sequence[str], width: int | None = None) -> list[str]:
    """The query, its right candidates, and what is on top of each model, called by `names`."""
    if card.query is None:
        return []
    rest = f" and {card.more} more" if card.more else ""
    right = ", ".join(map(in_words, card.right)) + rest
    parts = [("query", in_words(card.query)), ("right", right)]
    parts += [(name, _top(answer)) for name, answer in zip(names, card.answers, strict=True) if answer.top]
    label = max(len(name) for name, _ in parts)
    return [line for name, text in parts for line in _hung(f"{' ' * MARGIN}{name:<{label}}  ", text, width)]


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


def _hung(head: str, text: str, width: int | None) -> list[str]:
    """Lines of a head and a text, whose further lines begin below its first."""
    if width is None or not text:
        return [f"{head}{text}".rstrip()]
    return textwrap.wrap(
        head + text, max(width, NARROWEST), subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False
    )


def result_lines(page: Page, width: int | None = None) -> list[str]:
    """The results of a search: place, score, name or text, and what goes with it."""
    top = [one for section in page.sections for card in section.cards for answer in card.answers for one in answer.top]
    lines = [*_hung("", f"{page.title} in the test split, by {'; '.join(page.facts)}", width), ""]
    names = [_quoted(one.item.text) if one.item.text else clean(one.item.name) for one in top]
    longest = max(map(len, names), default=0)
    for place, (one, name) in enumerate(zip(top, names, strict=True), 1):
        figures, named, about = (
            f"{place:>3}  {one.score:6.3f}  ",
            f"{name:<{longest}}  ",
            " · ".join(map(clean, one.item.about)),
        )
        wide = width is not None and len(figures + named) > width / 2  # no room for a column beside it
        lines += _hung(figures, f"{name}  {about}".rstrip(), width) if wide else _hung(figures + named, about, width)
    return lines
