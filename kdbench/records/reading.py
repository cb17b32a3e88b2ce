"""All that a leaderboard is made from: usable records with their ranks and series, and what their test splits show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.errors import RecordError
from kdbench.records.profile import Profile
from kdbench.records.record import Record
from kdbench.records.sources import Disk, Held, Item
from kdbench.records.study_summary import StudySummary
from kdbench.records.verify.examine import examined
from kdbench.records.verify.problem import Problem
from kdbench.records.verify.shown import Concepts, concepts_of
from kdbench.records.verify.stored import checked_ranks
from kdbench.reports.board import Measured
from kdbench.tasks.retrieval.ranks import Ranks

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins


@dataclass
class Reading:
    """What was found: finished runs, the records of others, concepts by dataset digest, profiles, studies, what is wrong."""

    runs: list[Measured] = field(default_factory=list)
    unfinished: list[Record] = field(default_factory=list)
    concepts: Concepts = field(default_factory=dict)
    profiles: list[Profile] = field(default_factory=list)
    studies: list[StudySummary] = field(default_factory=list)  # beside tuned runs
    problems: list[Problem] = field(default_factory=list)


def read_measured(paths: Iterable[Path], plugins: Plugins | None = None) -> Reading:
    """From folders, records and bundles. What cannot be relied on is left out and told; the rest is there.

    Ranks and series are read when a run is asked for them. A path that does not exist raises RecordError.
    """
    found = Reading()
    with examined(paths, deep=False, plugins=plugins, profiles=True) as seen:
        found.problems += seen.problems
        found.profiles += [profile for listed in seen.profiles.values() for _, profile in listed]
        found.studies += [told.summary for listed in seen.studies.values() for told in listed if told.fine]
        for item, record in seen.good:
            if record.status != "ok":
                found.unfinished.append(record)
                continue
            lasting = item if isinstance(item.place, Disk) else _held(item)  # a bundle is closed when this is done
            found.runs.append(Measured(record, _Ranks(lasting, record), _Series(lasting, record)))
        found.concepts, problems = concepts_of(seen.good)
        found.problems += problems
    return found


@dataclass(frozen=True)
class _Ranks:
    item: Item
    record: Record

    def __call__(self) -> Ranks:
        ranks, problems = checked_ranks(self.record, self.item)
        if ranks is None or problems:
            raise RecordError(problems[0].line)
        return ranks


@dataclass(frozen=True)
class _Series:
    """{} where there is none, or it is damaged, which `kdbench verify` tells."""

    item: Item
    record: Record

    def __call__(self) -> dict[str, Any]:
        if self.record.series_sha256 is None:
            return {}
        try:
            content = self.item.read(self.item.series)
        except RecordError:
            return {}
        if content is None or hashlib.sha256(content).hexdigest() != self.record.series_sha256:
            return {}
        series: dict[str, Any] = json.loads(content)
        return series


def _held(item: Item) -> Item:
    held = Held({}, item.where)
    for name in (item.ranks, item.series):
        try:
            held.files[name] = item.read(name)
        except RecordError as error:
            held.files[name] = error
    return Item(held, item.name)
