"""Generated tar files of pairs: with dots, folders, links, notes, previews, and members that are neither files nor links."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from tests.support.encoded_pictures import encoded, smooth

KEYS = ("a", "b", "a.b", "a.b.c", "photo.0", "d/a", "d.e/a", "./b", "é", ".hidden", "._a", "A", "a ")
SUFFIXES = ("jpg", "png", "JPG", "webp", "txt", "TXT", "json", "seg.png", "orig.jpg", "en.txt", "cls", "")
TEXTS = (
    b"one",
    b"one\ntwo\n",
    b"one\r\ntwo",
    b"",
    b" \n",
    b"a\n\nb",
    b"\xff\xfe",
    "\ufeffmarked".encode(),
    b"nul\0",
    b"\r\n",
    "ünï".encode(),
)
FILE, HARD, SOFT, FOLDER, PIPE = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE


@dataclass(frozen=True)
class Entry:
    """A member of a tar file to be written. `target` is where a link leads."""

    name: str
    kind: bytes
    content: bytes = b""
    target: str = ""


@cache
def picture(seed: int) -> bytes:
    return encoded(smooth(20 + seed, 20, seed), "PNG" if seed % 2 else "JPEG")


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Members in any order; a good share are whole pairs."""
    found: list[Entry] = []
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=5)):
        plain = [f"{key}.jpg", f"{key}.txt"] if draw(st.integers(0, 3)) else []
        more = draw(st.lists(st.sampled_from(SUFFIXES), max_size=2 if plain else 3))
        for name in [*plain, *(f"{key}.{suffix}" if suffix else key for suffix in more)]:
            found.append(draw(_entry(name, [entry.name for entry in found])))
    return draw(st.permutations(found))


@st.composite
def _entry(draw: st.DrawFn, name: str, known: list[str]) -> Entry:
    kind = draw(st.sampled_from([FILE] * 12 + [HARD, SOFT, FOLDER, PIPE]))
    if kind in (HARD, SOFT):
        return Entry(name, kind, target=draw(st.sampled_from([*known, "nowhere.jpg", name])))
    if kind != FILE:
        return Entry(name, kind)
    if name.lower().endswith("txt"):
        return Entry(name, kind, draw(st.sampled_from([*TEXTS, b"plain"])))
    if name.endswith("json"):
        return Entry(name, kind, json.dumps({"caption": draw(st.sampled_from(["one\ntwo", "one", 3]))}).encode())
    return Entry(name, kind, picture(draw(st.integers(0, 5))))


def write_shard(path: Path, written: list[Entry], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Writes a tar file and returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for entry in written:
            member = tarfile.TarInfo(entry.name)
            member.type, member.size, member.linkname = entry.kind, len(entry.content), entry.target
            archive.addfile(member, io.BytesIO(entry.content))
    return path.read_bytes()
