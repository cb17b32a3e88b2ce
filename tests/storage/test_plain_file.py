"""Files that others may have put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdbench.storage.plain_file import LARGEST, read_plain


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_plain(path) == b"12345"


def test_what_would_block_or_never_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(LARGEST + 1)  # sparse
    for name, told in {
        "pipe": "not a plain file",
        "link": "not a plain file",
        "huge": "expected at most",
        ".": "not a plain file",
    }.items():
        with pytest.raises(OSError, match=told):
            read_plain(tmp_path / name)
