"""Sorts records into those that can be relied on and what is wrong with the others."""

from __future__ import annotations

import gc
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
from kdbench.records.files import find_records
from kdbench.records.problem import Problem
from kdbench.records.profile import Profile
from kdbench.records.profiles import SUFFIX
from kdbench.records.record import Record
from kdbench.records.sources import Disk, OpenBundle, RecordFile
from kdbench.records.tasks import task_of
from kdbench.records.verify.across_records import contradicting, repeated
from kdbench.records.verify.record_fields import problems_of
from kdbench.records.verify.stored_arrays import checked_arrays
from kdbench.records.verify.stored_trace import trace_problems
from kdbench.records.verify.study_summaries import StudyFiles, studies_beside
from kdbench.records.verify.tuned_runs import unexplained
from kdbench.records.verify.units import Units, units_of
from kdbench.records.verify.weights import weight_problems

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins


@dataclass
class Examined:
    """Records without a problem, each with its file, in the order given; problems of all others, of profiles and studies."""

    good: list[tuple[RecordFile, Record]] = field(default_factory=list)
    profiles: dict[str, list[tuple[str, Profile]]] = field(default_factory=dict)  # by folder, if asked to look deep
    studies: StudyFiles = field(default_factory=dict)  # of the folders with tuned records; of all, if asked to look deep
    units: Units = field(default_factory=dict)  # if asked for, or to look deep
    problems: list[Problem] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        """Those without a problem."""
        return [record for _, record in self.good]


def usable(paths: Iterable[Path], *, deep: bool = False, plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The records in folders, files and bundles that can be relied on, and what is wrong with the others.

    Checks schema, ids, figures, times, tuned runs and their studies, repeated runs and contradicting datasets; with `deep`,
    also recomputes all that follows from stored arrays and traces, which takes a few milliseconds a record. Raises
    RecordError if a path does not exist.
    """
    with examined(paths, deep=deep, plugins=plugins) as found:
        return found.records, found.problems


def verify(paths: Iterable[Path], plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The same, with everything recomputed. `plugins` offer the tasks, and tell which strategies have weights of any sum."""
    return usable(paths, deep=True, plugins=plugins)


@contextmanager
def examined(
    paths: Iterable[Path], *, deep: bool = True, plugins: Plugins | None = None, beside: bool = False
) -> Iterator[Examined]:
    """The same with the files at hand: bundles stay open within the context.

    Profiles and test units are read with `beside`, or with `deep`.
    """
    with ExitStack() as stack:
        with _no_collections():
            found = _examined(paths, deep, beside, plugins, stack)
        yield found


def _examined(paths: Iterable[Path], deep: bool, beside: bool, plugins: Plugins | None, stack: ExitStack) -> Examined:
    found = Examined()
    pairs = []
    for file in _files(paths, found.problems, stack):
        record = _read(file, found.problems)
        if record is not None:
            pairs.append((file, record, _problems(file, record, deep, plugins)))
    if deep or beside:
        _read_profiles([file for file, _, _ in pairs], found)
    found.studies = studies_beside([file for file, record, _ in pairs if deep or record.spec.tuning], found.problems)
    refused = {id(file): problems for file, _, problems in pairs if problems}
    for look in (partial(unexplained, studies=found.studies), partial(repeated, plugins=plugins), contradicting):
        # What is wrong already has no say in what is right.
        for file, problem in look([(file, record) for file, record, _ in pairs if id(file) not in refused]):
            refused.setdefault(id(file), []).append(problem)
    found.problems += [problem for problems in refused.values() for problem in problems]
    found.good = [(file, record) for file, record, _ in pairs if id(file) not in refused]
    if deep or beside:
        found.units, wrong = units_of(found.good, plugins)
        found.problems += wrong
    return found


@contextmanager
def _no_collections() -> Iterator[None]:
    """Records have no cycles: the garbage collector would walk over thousands of them again and again and free nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _files(paths: Iterable[Path], problems: list[Problem], stack: ExitStack) -> Iterator[RecordFile]:
    plain: list[Path] = []
    count = 0
    for is_bundle, group in groupby(paths, lambda path: path.suffix == ".zip" and path.is_file()):
        if is_bundle:
            for path in group:
                yield from _in_bundle(*stack.enter_context(opened(path)), problems)
        else:
            plain += group
            files = find_records(plain)  # all so far, so that none is found twice
            yield from (RecordFile(Disk(), path.as_posix()) for path in files[count:])
            count = len(files)


def _in_bundle(bundle: OpenBundle | None, wrong: list[Problem], problems: list[Problem]) -> Iterator[RecordFile]:
    problems += wrong
    if bundle is not None:
        # Of a record with an altered file nothing is used, whichever file it is.
        spoilt = {_owner(problem.path) for problem in wrong}
        for name in sorted(bundle.archive.namelist()):
            if RECORD.fullmatch(name) and _owner(bundle.shown(name)) not in spoilt:
                yield RecordFile(bundle, name)


def _owner(shown: str) -> str:
    """What the files of one record have in common."""
    folder, _, name = shown.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def _read(file: RecordFile, problems: list[Problem]) -> Record | None:
    try:
        content = file.read(file.name)
        if content is None:
            raise RecordError("no such file")
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the file"
        problems.append(Problem(file.where, f"not a record: {name}", repr(first["input"]), first["msg"]))
    except RecordError as error:
        problems.append(Problem(file.where, "not a record", str(error), "a file that can be read"))
    return None


def _problems(file: RecordFile, record: Record, deep: bool, plugins: Plugins | None) -> list[Problem]:
    """What is wrong with one record by itself."""
    problems = list(problems_of(record, file.where, file.stem, plugins))
    if deep and not problems and record.status == "ok":
        problems += [
            *checked_arrays(record, file, task_of(record.spec.task, plugins))[1],
            *trace_problems(record, file),
            *weight_problems(record, file.where, plugins),
        ]
    return problems


def _read_profiles(files: list[RecordFile], found: Examined) -> None:
    for file in {file.folder: file for file in files}.values():
        fine = found.profiles[file.folder] = []
        for name in file.source.beside(file.name, "profiles", SUFFIX):
            shown, called = file.source.shown(name), PurePosixPath(name).name
            try:
                profile = Profile.model_validate_json(file.read(name) or b"")
            except (ValidationError, RecordError) as error:
                told = str(error).splitlines()[0]
                found.problems.append(Problem(shown, "not a profile", told, "as `kdbench profile` writes it"))
                continue
            if called != f"{profile.id}{SUFFIX}":
                found.problems.append(Problem(shown, "a file name other than its id", called, f"{profile.id}{SUFFIX}"))
            else:
                fine.append((name, profile))
