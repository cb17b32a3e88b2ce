"""Opens untrusted bundles: unpacks nothing to disk, rejects decompression bombs and path traversal."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from kdbench.errors import RecordError
from kdbench.records.bundle.manifest import MANIFEST, Manifest, read_manifest
from kdbench.records.names import ARRAYS, TRACE, UNITS
from kdbench.records.problem import Problem
from kdbench.records.sources import OpenBundle
from kdbench.storage.archives import UNREADABLE

MAX_BYTES = 2 * 10**9  # unpacked, at most
MAX_FILES = 200_000
# Parts that begin with a letter or digit: no part is `..`, a drive or empty, and there is no backslash.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(/[A-Za-z0-9][A-Za-z0-9_.+-]*)*")
RECORD = re.compile(r"([^/]+/[0-9a-f]{12})\.json")
OTHER = re.compile(
    rf"([^/]+/[0-9a-f]{{12}})({re.escape(ARRAYS)}|{re.escape(TRACE)})"
    rf"|[^/]+/(profiles/[0-9a-f]{{12}}\.profile\.json|[0-9a-f]{{12}}{re.escape(UNITS)}|sweep/[^/]+-[0-9a-f]{{12}}\.json)"
)


@contextmanager
def opened(path: Path) -> Iterator[tuple[OpenBundle | None, list[Problem]]]:
    """The bundle's files, None if it cannot be used at all, and problems found by its manifest."""
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield None, [Problem(str(path), "cannot be opened", str(error), "a zip file, written by kdbench submit")]
        return
    with archive:
        danger = _danger(path, archive.infolist())
        bundle = OpenBundle(path, archive)
        try:
            content = None if danger else bundle.read(MANIFEST)
            manifest = None if content is None else read_manifest(content)
        except RecordError as error:
            wrong = Problem(bundle.shown(MANIFEST), "not a bundle's manifest", str(error), "as kdbench submit wrote it")
            yield None, [wrong]
            return
        if danger:
            yield None, [danger]
        elif manifest is None:
            yield None, [Problem(str(path), "not a bundle", "no manifest.json", "one, with the sha256 of every file")]
        else:
            yield bundle, list(_differing(bundle, manifest))


def _danger(path: Path, members: list[ZipInfo]) -> Problem | None:
    """Reasons in the directory of a zip file not to read it at all."""
    if len(members) > MAX_FILES:
        return Problem(str(path), "too many files", f"{len(members)}", f"at most {MAX_FILES}")
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        return Problem(str(path), "too large when unpacked", f"{size} bytes", f"at most {MAX_BYTES}")
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        if not NAME.fullmatch(name.removesuffix("/")):
            return Problem(str(path), "a name that may lead outside", repr(name), "letters, digits and . _ + - between slashes")
        if stat.S_ISLNK(member.external_attr >> 16):
            return Problem(str(path), "a link", repr(name), "plain files")
        if name in seen:
            return Problem(str(path), "a name that occurs twice", repr(name), "each file once")
        if member.flag_bits & 1 or member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            return Problem(str(path), "packed by an unsupported method", repr(name), "stored or deflated, not encrypted")
        seen.add(name)
    return None


def _differing(bundle: OpenBundle, manifest: Manifest) -> Iterator[Problem]:
    there = {info.filename: info for info in bundle.archive.infolist() if not info.is_dir()}
    for name, listed in manifest.files.items():
        info = there.get(name)
        if info is None:
            yield Problem(bundle.shown(name), "missing", "no such file", f"sha256 {listed.sha256}, by the manifest")
            continue
        try:
            with bundle.archive.open(info) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # a raw stream, as it asks
        except UNREADABLE as error:
            yield Problem(bundle.shown(name), "cannot be read", str(error), f"sha256 {listed.sha256}, by the manifest")
            continue
        if (found, info.file_size) != (listed.sha256, listed.bytes):
            expected = f"sha256 {listed.sha256}, {listed.bytes} bytes, by the manifest"
            yield Problem(bundle.shown(name), "altered", f"sha256 {found}, {info.file_size} bytes", expected)
    for name in there:
        if name == MANIFEST:
            continue
        if name not in manifest.files:
            yield Problem(bundle.shown(name), "not in the manifest", "a file without a checksum", "only files it lists")
        elif not RECORD.fullmatch(name):
            kind = OTHER.fullmatch(name)
            if kind is None:
                expected = "a record, its arrays or its trace, test units, a profile or a study"
                yield Problem(bundle.shown(name), "of no known kind", name, expected)
            elif kind[1] and f"{kind[1]}.json" not in there:
                yield Problem(bundle.shown(name), "without its record", "a file that belongs to no record", f"{kind[1]}.json")
