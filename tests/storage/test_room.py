"""Room on a file system that has little, allows none, or cannot be written: told in one line, and nothing is left."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.storage.room import allocate, amount, told, writing

LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np, torch
from kdbench.contracts import Split
from kdbench.data.decode import decode_images
from kdbench.data.encoding import write_rows
from kdbench.storage.atomic import write_bytes
from kdbench.storage.checkpoint import save
from kdbench.storage.room import told

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, ids = Path(sys.argv[1]), np.arange(900)
split = Split([np.zeros((16, 16, 3), np.uint8)] * 900, [""] * 900, ids, ids)
WRITERS = {
    "atomic": lambda path: write_bytes(path, bytes(300_000)),
    "checkpoint": lambda path: save(path, torch.zeros(300_000)),
    "rows": lambda path: write_rows(path, 2000, lambda a, b: np.ones((b - a, 256), np.float16), lambda *_: None),
    "images": lambda path: decode_images(split, 16, path, lambda *_: None),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name, write in WRITERS.items():
    try:
        write(folder / name)
        print(name, "was written")
    except OSError as error:
        print(told(error) or repr(error))
"""


@pytest.mark.fault("a limit on the size of files")
def test_whatever_is_written_says_where_there_was_no_room(tmp_path: Path) -> None:
    """A limit on the size of files is met like the end of a disk, also by who may write anything. No process dies of it."""
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    names = [f"{tmp_path}/{name}: found a limit on the size of files" for name in ("checkpoint", "rows", "images")]
    assert [line.partition(" (ulimit -f); expected ")[0] for line in lines] == [
        f"{tmp_path}/atomic.partial: found a limit on the size of files",
        *names,
    ]
    assert "expected 1.0 MB for this file. Make room or name another folder by --results or --cache" in lines[2]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_a_whole_file_is_taken_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    allocate(path, 1_000_000)
    assert path.stat().st_size == 1_000_000
    assert path.stat().st_blocks * 512 >= 1_000_000
    allocate(path, 10)  # never less
    assert path.stat().st_size == 1_000_000


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, r"/runs: found \d.* free; expected room for more\. Make room or name another folder"),
        (errno.EDQUOT, r"/runs: found the quota used up; expected room for more"),
        (errno.EROFS, r"/runs: found a read-only file system; expected one that can be written"),
        (errno.EACCES, r"/runs: Permission denied$"),
    ],
)
def test_what_a_file_system_refuses(number: int, said: str) -> None:
    assert re.search(said, told(OSError(number, os.strerror(number), "/runs")))


def test_other_errors_are_bugs() -> None:
    for error in (OSError("no number"), OSError(errno.ENOSPC, "no name"), OSError(errno.EBADF, "bad", "/x"), ValueError()):
        assert told(error) == ""


def test_an_error_gets_the_name_of_the_file_unless_it_has_one() -> None:
    for given, expected in ((None, "/here"), ("/there", "/there")):
        with pytest.raises(OSError, match="full") as raised, writing(Path("/here")):
            raise OSError(errno.ENOSPC, "full", given)
        assert raised.value.filename == expected


def test_amounts() -> None:
    assert [amount(size) for size in (0, 999, 1000, 14.4e9, 2e12)] == ["0 bytes", "999 bytes", "1.0 kB", "14.4 GB", "2.0 TB"]
