"""Writes records and their files into one zip file; the same records give the same bytes."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from kdbench.errors import KdbenchWarning, RecordError
from kdbench.records.bundle.archive import MAX_BYTES, MAX_FILES
from kdbench.records.bundle.manifest import MANIFEST, Listed, Manifest, PluginCode
from kdbench.records.files import record_path
from kdbench.records.parts import FIRST_PARTY
from kdbench.records.problem import Problem
from kdbench.records.profiles import profile_path
from kdbench.records.provenance import versions
from kdbench.records.record import DONE, Record
from kdbench.records.sources import RecordFile
from kdbench.records.study_summary import study_path
from kdbench.records.verify.examine import Examined, examined
from kdbench.records.verify.tuned_runs import study_of
from kdbench.storage.atomic import written

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip file
LONGEST_NAME = 200


@dataclass(frozen=True)
class Submitted:
    """A written bundle."""

    path: Path
    records: list[Record]
    manifest: Manifest


def submit(paths: Iterable[Path], out: Path, by: str = "", plugins: Plugins | None = None) -> Submitted:
    """Bundles the records at `paths` with their stored files, their students' profiles and, for tuned runs, the summaries of
    the studies that found their parameters. `by` names the submitter.

    Raises RecordError, and writes nothing, if there is no record, if `verify` finds a problem, or if a run is a smoke run,
    failed or was skipped; diverged runs are results. Warns if a run's code differed from its commit, and marks such runs in
    the manifest.
    """
    if not by.isprintable() or len(by) > LONGEST_NAME:
        raise RecordError(f"--by: found {by!r}, expected a name in one line, of at most {LONGEST_NAME} characters")
    with examined(paths, plugins=plugins) as found:
        problems = [*found.problems, *(problem for file, record in found.good for problem in _unfit(file, record))]
        if problems:
            listed = "\n".join(map(str, problems))
            raise RecordError(f"{listed}\nnothing was written: correct these, or submit only the records without problems")
        if not found.good:
            raise RecordError("found no record to submit; create some with `kdbench run SUITE`")
        files = _gathered(found)
    if len(files) >= MAX_FILES or sum(map(len, files.values())) > MAX_BYTES // 2:
        raise RecordError(f"{len(files)} files are too many for a bundle; submit them in parts")
    dirty = sorted(record.run_id for record in found.records if record.dirty)
    for record in found.records:
        if record.dirty:
            message = f"{record.label}: its code differed from its commit, so others cannot reproduce it; marked as dirty"
            warnings.warn(message, KdbenchWarning, stacklevel=2)
    sums = {name: Listed(bytes=len(content), sha256=hashlib.sha256(content).hexdigest()) for name, content in files.items()}
    manifest = Manifest(
        kdbench=versions()["kdbench"],
        by=by,
        dirty=dirty,
        plugins=_plugins(found.records),
        files=sums,
    ).sealed()
    _write(out, {MANIFEST: manifest.content(), **files})
    return Submitted(out, found.records, manifest)


def _plugins(records: Iterable[Record]) -> list[PluginCode]:
    """The code of all plugins of third parties that the records depend on."""
    parts = [part for record in records for part in record.parts.values() if part.package not in ("", FIRST_PARTY)]
    found = {(part.package, part.version, part.code) for part in parts}
    return [PluginCode(package=package, version=version, code=code) for package, version, code in sorted(found)]


def _unfit(file: RecordFile, record: Record) -> Iterator[Problem]:
    if record.spec.smoke:
        expected = "runs of the whole suite; smoke runs only show that everything works"
        yield Problem(file.where, "a smoke run", record.label, expected)
    elif record.status not in DONE:
        yield Problem(file.where, f"a {record.status} run", record.reason, "finished runs; `kdbench run` tries it again")


def _gathered(found: Examined) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name, content in _files(found):
        if files.setdefault(name, content) != content:
            raise RecordError(f"{name}: two folders have different measurements under this id; submit them separately")
    return dict(sorted(files.items()))


def _files(found: Examined) -> Iterator[tuple[str, bytes]]:
    """Files by their names in the bundle, which are those under results/."""
    for file, record in found.good:
        suite = record.spec.suite
        home = RecordFile(file.source, record_path(Path(), suite, record.run_id).as_posix())
        names = [(file.name, home.name)]
        names += [(file.arrays, home.arrays)] if record.arrays_sha256 else []
        names += [(file.trace, home.trace)] if record.trace_sha256 else []
        for source, target in names:
            yield target, file.read(source) or b""
        if record.status == "ok" and (content := file.read(file.units(record))) is not None:
            yield home.units(record), content
        for name, profile in found.profiles.get(file.folder, []):
            if not record.spec.reference and record.spec.student.same_as(profile.student):
                yield profile_path(Path(), suite, profile.id).as_posix(), file.read(name) or b""
        if study := study_of(record, found.studies[file.folder]):
            yield study_path(Path(), suite, study.summary.study).as_posix(), file.read(study.name) or b""


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Writes the zip file whole or not at all. Stored, not deflated: deflated bytes depend on the library."""
    with written(out) as stream, ZipFile(stream, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            info = ZipInfo(name, DATE)
            info.create_system = 3  # also on Windows
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
