"""Searches the test split of a run by its trained student."""

from __future__ import annotations

from pathlib import Path

from kdbench.deploy.export.load import trained_student
from kdbench.deploy.gallery.opened import opened
from kdbench.deploy.gallery.outputs import outputs_of
from kdbench.errors import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.provenance import resolved_device
from kdbench.records.record import Record
from kdbench.reports.gallery.page import Answer, Candidate, Card, Page, Section
from kdbench.reports.gallery.text import in_words
from kdbench.storage.cache import Cache


def search(record: Record, query: str | Path, most: int, plugins: Plugins, cache: Cache) -> Page:
    """A page of one card: the `most` candidates that a run's student finds nearest to a text, or to a picture file.

    Raises KdbenchError if the weights are not in the cache, the dataset has changed since the run, or the query is empty or no
    picture.
    """
    if isinstance(query, str) and not query.strip():
        raise KdbenchError("found an empty query; expected a text, such as 'a red heart'")
    student = trained_student(record, plugins, cache)
    device = resolved_device("auto")
    shown = opened(record, plugins, cache, device)
    outputs = outputs_of(record, shown, plugins, cache, device)
    with building_with(plugins):
        found = shown.search(student, outputs, query, most)
    top = [Candidate(shown.candidate(found.of, hit.position), hit.score) for hit in found.hits]
    card = Card("", found.query, (Answer("Nearest first", "", tuple(top)),))
    section = Section("Found in the test split", (card,))
    return Page(in_words(found.query), "", [section], [record.label], licence=record.licence or "")
