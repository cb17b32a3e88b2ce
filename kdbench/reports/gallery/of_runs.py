"""The page of runs: queries drawn at random, the worst, and those that models differ in most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts.shown import Shown
from kdbench.contracts.task import Queries
from kdbench.reports.gallery.cards import Model, card, named_alike
from kdbench.reports.gallery.page import Page, Section

Floats = NDArray[np.float64]


def runs_page(
    title: str,
    queries: Sequence[Queries],
    shown: Shown | None,
    runs: Sequence[Model],
    teachers: Sequence[Model] = (),
    most: int = 6,
    **rest: object,
) -> Page:
    """`most` queries a section. The first of `runs` decides which are its worst; teachers stand beside them.

    `rest` are further fields of the page.
    """
    sections, models = [], (*runs, *teachers)
    for of in queries:
        if any(of.array not in model.values for model in models):
            continue
        for name, about, chosen in _choices(of, runs, teachers, most):
            cards = tuple(
                card(shown, of, index, [model.answer(shown, of, index) for model in models], models) for index in chosen
            )
            heading = of.label.capitalize() if named_alike(of) else f"{of.query.capitalize()} queries ({of.label})"
            sections += [Section(f"{heading}: {name}", cards, about)] if cards else []
    return Page(title=title, sections=sections, **rest)  # type: ignore[arg-type]


def _choices(of: Queries, runs: Sequence[Model], teachers: Sequence[Model], most: int) -> Iterable[tuple[str, str, list[int]]]:
    """Sections as names, explanations and indices of queries."""
    first, *others = (_goodness(of, model) for model in runs)
    own = runs[0].name
    drawn = np.random.default_rng(0).permutation(len(first))[:most]
    yield "drawn at random", "The same queries for every model.", sorted(drawn.tolist())
    yield "worst failures", f"The worst {of.figure} of {own}.", _first(first, most)
    if teachers:
        best = np.max([_goodness(of, model) for model in teachers], axis=0)
        whose = "the better teacher" if len(teachers) > 1 else teachers[0].name
        yield "teachers know better", f"Where {whose} is furthest ahead of {own}.", _first(first - best, most, below=0)
        yield "better than its teachers", f"Where {own} is furthest ahead of {whose}.", _first(best - first, most, below=0)
    if others:
        gaps = np.ptp([first, *others], axis=0)
        yield "where runs differ most", "The largest difference between two of the runs.", _first(-gaps, most, below=0)


def _goodness(of: Queries, model: Model) -> Floats:
    """Figures of all queries such that more is better and differences are comparable: of ratios, logarithms."""
    values = np.asarray(model.values[of.array], dtype=np.float64)
    scaled: Floats = np.log(values) if of.ratio else values
    return scaled if of.higher_is_better else -scaled


def _first(values: Floats, most: int, below: float = np.inf) -> list[int]:
    """The indices of the lowest values, as far as they are lower than `below`."""
    order: list[int] = np.argsort(values, kind="stable")[:most].tolist()
    return [index for index in order if values[index] < below]
