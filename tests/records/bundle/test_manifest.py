"""What a bundle says of itself, and that nobody changed it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.records.bundle.manifest import Listed, Manifest, read_manifest

MANIFEST = Manifest(
    kdbench="0.1.0", by="Ada Ä", dirty=["0" * 12], files={"toys/a.json": Listed(bytes=3, sha256="a" * 64)}
).sealed()


def test_what_is_written_is_read() -> None:
    assert read_manifest(MANIFEST.content()) == MANIFEST
    assert "Ada Ä".encode() in MANIFEST.content()


@given(st.integers(0, len(MANIFEST.content()) - 1), st.integers(1, 255))
def test_any_other_byte_is_noticed(place: int, by: int) -> None:
    content = bytearray(MANIFEST.content())
    content[place] ^= by
    with pytest.raises(RecordError):
        read_manifest(bytes(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(by="Eve"), "its digest is"),
        (lambda content: content.update(dirty=[]), "its digest is"),
        (lambda content: content["files"].clear(), "its digest is"),
        (lambda content: content.update(format=2), "format: "),
        (lambda content: content.update(more=1), "more: "),
        (lambda content: content.pop("files"), "files: "),
    ],
)
def test_a_change_that_is_well_formed(change: Callable[[dict[str, object]], object], message: str) -> None:
    content = json.loads(MANIFEST.content())
    change(content)
    with pytest.raises(RecordError, match=message):
        read_manifest(json.dumps(content).encode())


def test_the_same_in_other_bytes() -> None:
    with pytest.raises(RecordError, match="in other bytes"):
        read_manifest(json.dumps(json.loads(MANIFEST.content())).encode())
