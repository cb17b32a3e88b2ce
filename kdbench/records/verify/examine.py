"""Separates valid records from the problems of invalid ones."""

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
from kdbench.records.verify.across_records import contradicting, outdated, repeated, students_of_others, unlike
from kdbench.records.verify.copies import copied
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
    """Valid records with their files, in the given order, and the problems of other records, of profiles and of studies."""

    good: list[tuple[RecordFile, Record]] = field(default_factory=list)
    profiles: dict[str, list[tuple[str, Profile]]] = field(default_factory=dict)  # by folder, with `deep`
    studies: StudyFiles = field(default_factory=dict)  # of folders with tuned records; with `deep`, of all
    units: Units = field(default_factory=dict)  # with `beside` or `deep`
    problems: list[Problem] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        """The valid records."""
        return [record for _, record in self.good]


def usable(paths: Iterable[Path], *, deep: bool = False, plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The valid records in folders, files and bundles, and the problems of the others.

    Checks schema, ids, figures, times, tuned runs and their studies, repeated runs and contradicting datasets; with `deep`,
    also recomputes everything that follows from stored arrays and traces, which takes a few milliseconds per record. Raises
    RecordError if a path does not exist.
    """
    with examined(paths, deep=deep, plugins=plugins) as found:
        return found.records, found.problems


def verify(paths: Iterable[Path], plugins: Plugins | None = None) -> tuple[list[Record], list[Problem]]:
    """The same with everything recomputed. `plugins` offer the tasks and the strategies, which may allow weights of any sum."""
    return usable(paths, deep=True, plugins=plugins)


@contextmanager
def examined(
    paths: Iterable[Path], *, deep: bool = True, plugins: Plugins | None = None, beside: bool = False
) -> Iterator[Examined]:
    """The same as a context, within which bundles stay open.

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
            pairs.append((file, record, _guarded(file, record, deep, plugins)))
    if deep or beside:
        _read_profiles([file for file, _, _ in pairs], found)
    found.studies = studies_beside([file for file, record, _ in pairs if deep or record.spec.tuning], found.problems)
    refused = {id(file): problems for file, _, problems in pairs if problems}
    tuned = partial(unexplained, studies=found.studies)
    twice, copies = partial(repeated, plugins=plugins), partial(copied, plugins=plugins)
    looks = (tuned, twice, unlike, outdated, students_of_others, contradicting, copies)
    for look in looks:
        # Records with a problem must not count in the vote below.
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
    """Pauses the garbage collector, which would traverse thousands of records again and again; they have no cycles."""
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
            files = find_records(plain)  # all so far: none is reported twice
            yield from (RecordFile(Disk(), path.as_posix()) for path in files[count:])
            count = len(files)


def _in_bundle(bundle: OpenBundle | None, wrong: list[Problem], problems: list[Problem]) -> Iterator[RecordFile]:
    problems += wrong
    if bundle is not None:
        # A record with any altered file is not used at all.
        spoilt = {_owner(problem.path) for problem in wrong}
        for name in sorted(bundle.archive.namelist()):
            if RECORD.fullmatch(name) and _owner(bundle.shown(name)) not in spoilt:
                yield RecordFile(bundle, name)


def _owner(shown: str) -> str:
    """Common checks of the files of one record."""
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
        whole = first["type"] == "json_invalid" or not first["loc"]  # of the text, or of all of it: there is no value to show
        found, expected = (
            (first["msg"], "a record as `kdbench run` wrote it") if whole else (repr(first["input"]), first["msg"])
        )
        problems.append(Problem(file.where, f"not a record: {name}", found, expected))
    except RecordError as error:
        problems.append(Problem(file.where, "not a record", str(error), "a file that can be read"))
    return None


def _guarded(file: RecordFile, record: Record, deep: bool, plugins: Plugins | None) -> list[Problem]:
    """The problems of a single record, one of which may be that its checks fail: anyone may have written it."""
    try:
        return _problems(file, record, deep, plugins)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        return [Problem(file.where, "a record that cannot be examined", found, "one that `kdbench run` wrote")]


def _problems(file: RecordFile, record: Record, deep: bool, plugins: Plugins | None) -> list[Problem]:
    """Problems of a single record."""
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
                found.problems.append(Problem(shown, "a file name that differs from its id", called, f"{profile.id}{SUFFIX}"))
            else:
                fine.append((name, profile))
