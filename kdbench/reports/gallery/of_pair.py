"""The page of two rows that are compared: the queries that changed most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kdbench.reports.gallery.cards import Looked, card
from kdbench.reports.gallery.page import Card, Page, Section
from kdbench.statistics.explain import Explanation, Query

Of = Callable[[Query], Looked]  # a query's test split, with the models A and B of one seed


def pair_page(found: Explanation, of: Of, names: Sequence[str] = (), licence: str = "", notes: Sequence[str] = ()) -> Page:
    """`names` are those of A and B beside their answers; `notes` follow those of the comparison."""
    sections = [
        Section(title, tuple(pair_card(query, of(query), names) for query in queries))
        for title, queries in (("A gained most", found.gained), ("A lost most", found.lost))
        if queries
    ]
    facts = [f"A = {found.a}", f"B = {found.b}", found.runs]
    return Page(f"{found.a} and {found.b}", found.verdict, sections, facts, [*found.notes, *notes], licence)


def pair_card(query: Query, looked: Looked, names: Sequence[str] = ()) -> Card:
    """The card of a query that changed, with medians over seeds beside the figures of the seed that is shown."""
    answers, models = [], []
    for place, (model, median) in enumerate(zip(looked.models.values(), (query.a, query.b), strict=True)):
        named = replace(model, name=names[place]) if names else model
        models.append(named)
        own, middle = query.of.text(model.values[query.of.array][query.index]), query.of.text(median)
        answer = named.answer(looked.shown, query.of, query.index, f"median {query.of.figure} {middle}")
        answers.append(replace(answer, note=f"{own} in the seed shown") if answer.top and own != middle else answer)
    where = "" if query.fold is None else f"fold {query.fold + 1} · "
    return card(looked.shown, query.of, query.index, answers, models, where)
