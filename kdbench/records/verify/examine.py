"""Sorts records into those that can be relied on and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kdbench.errors import RecordError
from kdbench.records.bundle.archive import RECORD, opened
from kdbench.records.profile import Profile
from kdbench.records.profiles import SUFFIX
from kdbench.records.record import Record, find_records
from kdbench.records.sources import Disk, Item, Packed
from kdbench.records.verify.alone import problems_of
from kdbench.records.verify.problem import Problem
from kdbench.records.verify.shown import concepts_of
from kdbench.records.verify.stored import checked_ranks, series_problems
from kdbench.records.verify.studies import Studies, studies_beside
from kdbench.records.verify.together import contradicting, repeated
from kdbench.records.verify.tuned import unfounded
from kdbench.records.verify.weights import weight_problems

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins


@dataclass
class Examined:
    """Records without a problem, each with its file, in the order given; problems of all others, of profiles and studies."""

    good: list[tuple[Item, Record]] = field(default_factory=list)
    profiles: dict[str, list[tuple[str, Profile]]] = field(default_factory=dict)  # by folder, if asked to look deep
    studies: Studies = field(default_factory=dict)  # of the folders with tuned records; of all, if asked to look deep
    problems: list[Problem] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        return [record for _, record in self.good]


def usable(paths: Iterable[Path], *, deep: bool = False, plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The records in folders, files and bundles that can be relied on, and what is wrong with the others.

    Looks at schema, ids, figures, times, tuned runs and their studies, repeated runs and contradicting datasets; with `deep`,
    also recomputes all that follows from ranks and series, which takes a few milliseconds a record. A path that does not exist
    raises RecordError.
    """
    with examined(paths, deep=deep, plugins=plugins) as found:
        return found.records, found.problems


def verify(paths: Iterable[Path], plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The same, with everything recomputed. `plugins` tell whether a strategy's weights may have a sum other than one."""
    return usable(paths, deep=True, plugins=plugins)


@contextmanager
def examined(
    paths: Iterable[Path], *, deep: bool = True, plugins: Plugins | None = None, profiles: bool = False
) -> Iterator[Examined]:
    """The same with the files at hand: bundles stay open within the context. Profiles are read where asked for, or `deep`."""
    with ExitStack() as stack:
        found = Examined()
        pairs = []
        for item in _items(paths, found.problems, stack):
            record = _read(item, found.problems)
            if record is not None:
                pairs.append((item, record, _alone(item, record, deep, plugins)))
        if deep or profiles:
            _read_profiles([item for item, _, _ in pairs], found)
        found.studies = studies_beside([item for item, record, _ in pairs if deep or record.spec.get("tuning")], found.problems)
        refused = {id(item): problems for item, _, problems in pairs if problems}
        for look in (partial(unfounded, studies=found.studies), repeated, contradicting):
            # What is wrong already has no say in what is right.
            for item, problem in look([(item, record) for item, record, _ in pairs if id(item) not in refused]):
                refused.setdefault(id(item), []).append(problem)
        found.problems += [problem for problems in refused.values() for problem in problems]
        found.good = [(item, record) for item, record, _ in pairs if id(item) not in refused]
        if deep:
            found.problems += concepts_of(found.good)[1]
        yield found


def _items(paths: Iterable[Path], problems: list[Problem], stack: ExitStack) -> Iterator[Item]:
    plain: list[Path] = []
    count = 0
    for is_bundle, group in groupby(paths, lambda path: path.suffix == ".zip" and path.is_file()):
        if is_bundle:
            for path in group:
                yield from _packed(*stack.enter_context(opened(path)), problems)
        else:
            plain += group
            files = find_records(plain)  # all so far, so that none is found twice
            yield from (Item(Disk(), path.as_posix()) for path in files[count:])
            count = len(files)


def _packed(packed: Packed | None, wrong: list[Problem], problems: list[Problem]) -> Iterator[Item]:
    problems += wrong
    if packed is not None:
        # Of a record with an altered file nothing is used, whichever file it is.
        spoilt = {_owner(problem.path) for problem in wrong}
        for name in sorted(packed.archive.namelist()):
            if RECORD.fullmatch(name) and _owner(packed.shown(name)) not in spoilt:
                yield Item(packed, name)


def _owner(shown: str) -> str:
    """What the files of one record have in common."""
    folder, _, name = shown.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def _read(item: Item, problems: list[Problem]) -> Record | None:
    try:
        content = item.read(item.name)
        if content is None:
            raise RecordError("no such file")
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the file"
        problems.append(Problem(item.where, f"not a record: {name}", repr(first["input"]), first["msg"]))
    except RecordError as error:
        problems.append(Problem(item.where, "not a record", str(error), "a file that can be read"))
    return None


def _alone(item: Item, record: Record, deep: bool, plugins: Plugins | None) -> list[Problem]:
    problems = list(problems_of(record, item.where, item.stem))
    if deep and not problems and record.status == "ok":
        problems += [
            *checked_ranks(record, item)[1],
            *series_problems(record, item),
            *weight_problems(record, item.where, plugins),
        ]
    return problems


def _read_profiles(items: list[Item], found: Examined) -> None:
    for item in {item.folder: item for item in items}.values():
        fine = found.profiles[item.folder] = []
        for name in item.place.beside(item.name, "profiles", SUFFIX):
            shown, called = item.place.shown(name), PurePosixPath(name).name
            try:
                profile = Profile.model_validate_json(item.read(name) or b"")
            except (ValidationError, RecordError) as error:
                found.problems.append(
                    Problem(shown, "not a profile", str(error).splitlines()[0], "as `kdbench profile` writes it")
                )
                continue
            if called != f"{profile.id}{SUFFIX}":
                found.problems.append(Problem(shown, "a file name other than its id", called, f"{profile.id}{SUFFIX}"))
            else:
                fine.append((name, profile))
