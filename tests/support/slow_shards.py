"""A slow reader of shards: the pairs that a tar program unpacks, by its own way to follow links and to read members."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections import defaultdict
from pathlib import Path

PICTURES = {"jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"}


def slow_pairs(shard: Path) -> tuple[dict[str, tuple[bytes, list[str]]], int]:
    """The usable pairs of a shard: key → bytes of the picture and captions; and how many members there are but folders."""
    pictures: dict[str, list[bytes | None]] = defaultdict(list)
    texts: dict[str, list[bytes | None]] = defaultdict(list)
    notes: dict[str, bytes | None] = {}
    total = 0
    with tarfile.open(shard) as archive:
        for member in archive.getmembers():
            total += not member.isdir()
            name = posixpath.basename(member.name)
            if member.isdir() or member.isfifo() or name.startswith("."):
                continue
            key, _, suffix = posixpath.normpath(member.name).rpartition(".")
            content = _content(archive, member)
            if suffix.lower() in PICTURES:
                pictures[key].append(content)
            elif suffix.lower() == "txt":
                texts[key].append(content)
            elif suffix.lower() == "json":
                notes[key] = content
    found = {}
    for key in pictures.keys() & texts.keys():
        picture, text = pictures[key][0], texts[key][0]
        if len(pictures[key]) == len(texts[key]) == 1 and picture is not None and text is not None:
            captions = _captions(text, notes.get(key))
            if captions:
                found[key] = picture, captions
    return found, total


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    """The bytes that unpacking gives, following links up to a certain length; None for a link that leads nowhere."""
    for _ in range(50):
        if member.isreg():
            stream = archive.extractfile(member)
            assert stream is not None
            return stream.read()
        place = member.linkname if member.islnk() else posixpath.join(posixpath.dirname(member.name), member.linkname)
        same = [other for other in archive.getmembers() if posixpath.normpath(other.name) == posixpath.normpath(place)]
        files = [other for other in same if other.isreg()] or [other for other in same if other.islnk() or other.issym()]
        if not files:
            return None
        member = files[-1]
    return None


def _captions(text: bytes, note: bytes | None) -> list[str]:
    """None at all if one of them is no caption."""
    try:
        whole = text.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return []
    try:
        told = json.loads(note or b"{}")
    except ValueError:
        told = {}
    lines = [whole] if "\n" in whole and told.get("caption") == whole.replace("\r\n", "\n") else whole.split("\n")
    if whole.startswith('{"'):  # a link to a JSON file
        return []
    stripped = [line.strip() for line in lines]
    return stripped if all(stripped) and "\0" not in whole else []
