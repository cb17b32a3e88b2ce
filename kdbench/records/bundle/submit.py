"""Puts records and all that belongs to them into one zip file, the same bytes for the same records."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from kdbench import __version__
from kdbench.deploy.profile.candidates import plain
from kdbench.errors import KdbenchWarning, RecordError
from kdbench.records.bundle.archive import MAX_BYTES, MAX_FILES
from kdbench.records.bundle.manifest import MANIFEST, Listed, Manifest
from kdbench.records.profiles import profile_path
from kdbench.records.record import DONE, Record, record_path
from kdbench.records.sources import Item
from kdbench.records.study_summary import study_path
from kdbench.records.verify.examine import Examined, examined
from kdbench.records.verify.problem import Problem
from kdbench.records.verify.shown import name_of
from kdbench.records.verify.tuned import told_of

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins

DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can have
LONGEST_NAME = 200


@dataclass(frozen=True)
class Submitted:
    """A bundle that was written."""

    path: Path
    records: list[Record]
    manifest: Manifest


def submit(paths: Iterable[Path], out: Path, by: str = "", plugins: Plugins | None = None) -> Submitted:
    """Bundles the records at `paths` with their ranks, series, students' profiles and, where they are tuned, summaries of
    the studies that found their parameters; `by` says who hands them in.

    Raises RecordError, and writes nothing, where there is no record, where `verify` finds a problem, and for runs that are
    a smoke test, failed or were skipped; diverged ones are results. Code that differed from its commit is warned of and
    marked in the manifest.
    """
    if not by.isprintable() or len(by) > LONGEST_NAME:
        raise RecordError(f"--by: found {by!r}, expected a name in one line, of at most {LONGEST_NAME} characters")
    with examined(paths, plugins=plugins) as found:
        problems = [*found.problems, *(problem for item, record in found.good for problem in _unfit(item, record))]
        if problems:
            listed = "\n".join(map(str, problems))
            raise RecordError(f"{listed}\nnothing was written: mend these, or give only the records that are fine")
        if not found.good:
            raise RecordError("no record is there to submit; `kdbench run SUITE` makes some")
        files = _gathered(found)
    if len(files) >= MAX_FILES or sum(map(len, files.values())) > MAX_BYTES // 2:
        raise RecordError(f"{len(files)} files are more than a bundle may have; submit them in parts")
    dirty = sorted(record.run_id for record in found.records if record.dirty)
    for record in found.records:
        if record.dirty:
            message = f"{record.label}: its code differed from its commit, so nobody else can run it; marked as dirty"
            warnings.warn(message, KdbenchWarning, stacklevel=2)
    sums = {name: Listed(bytes=len(content), sha256=hashlib.sha256(content).hexdigest()) for name, content in files.items()}
    manifest = Manifest(kdbench=__version__, by=by, dirty=dirty, files=sums).sealed()
    _write(out, {MANIFEST: manifest.content(), **files})
    return Submitted(out, found.records, manifest)


def _unfit(item: Item, record: Record) -> Iterator[Problem]:
    if record.spec.get("smoke"):
        yield Problem(
            item.where, "a smoke run", record.label, "runs of the suite as it stands: smoke runs show that things work"
        )
    elif record.status not in DONE:
        yield Problem(
            item.where, f"a {record.status} run", record.reason, "runs that came to an end; `kdbench run` tries it again"
        )


def _gathered(found: Examined) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name, content in _files(found):
        if files.setdefault(name, content) != content:
            raise RecordError(f"{name}: two folders have other measurements under this id; submit them one by one")
    return dict(sorted(files.items()))


def _files(found: Examined) -> Iterator[tuple[str, bytes]]:
    """By their names in the bundle, as they would be called under results/."""
    for item, record in found.good:
        home = Item(item.place, record_path(Path(), record.spec["suite"], record.run_id).as_posix())
        names = [(item.name, home.name)]
        names += [(item.ranks, home.ranks)] if record.ranks_sha256 else []
        names += [(item.series, home.series)] if record.series_sha256 else []
        for source, target in names:
            yield target, item.read(source) or b""
        if record.status == "ok" and (content := item.read(name_of(item, record))) is not None:
            yield name_of(home, record), content
        for name, profile in found.profiles.get(item.folder, []):
            if profile.student == plain(record.spec["student"]) and not record.spec.get("role"):
                yield profile_path(Path(), record.spec["suite"], profile.id).as_posix(), item.read(name) or b""
        if told := told_of(record, found.studies[item.folder]):
            yield study_path(Path(), record.spec["suite"], told.summary.study).as_posix(), item.read(told.name) or b""


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Whole or not at all. Stored, not deflated: what deflating makes depends on the library that does it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.partial-{os.getpid()}")
    try:
        with ZipFile(partial, "w", ZIP_STORED) as archive:
            for name, content in files.items():
                info = ZipInfo(name, DATE)
                info.create_system = 3  # also on Windows
                info.external_attr = 0o100644 << 16
                archive.writestr(info, content)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
