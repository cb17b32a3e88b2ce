"""Room on a file system: taken before a file is filled, and told of where there is none.

Pages of a memory map that find no room end the process with SIGBUS, without a word. Whatever is mapped or large is therefore
given its whole size first, where a full disk is an error like any other.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What else a file system may refuse whatever a program does; other errors are bugs and keep their traceback.
REFUSED = {
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
}
LONGEST = 120  # characters of a path in a message
FOLDERS = "name another folder by --results or --cache"


def allocate(path: Path, size: int) -> None:
    """Gives a new file `size` bytes on its file system. If there is no room, removes it, so that others find some, and raises
    OSError with its name and size. Does nothing where the system cannot allocate."""
    if not hasattr(os, "posix_fallocate") or size <= 0:
        return
    file = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno in FULL:
            path.unlink(missing_ok=True)
            raise OSError(error.errno, f"{amount(size)} for this file", str(path)) from None
    finally:
        os.close(file)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A context in which a file is written: an error of the file system that names none is given this name."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def told(error: BaseException) -> str:
    """What a full, read-only or failing file system refused, for a message without a traceback; "" for any other error."""
    if not isinstance(error, OSError) or error.filename is None:
        return ""
    name = str(error.filename)
    if error.errno not in FULL | REFUSED and not _without_folder(error, name):
        return ""
    where = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    if error.errno in FULL:
        usual = error.strerror == os.strerror(error.errno)
        expected = "room for more" if usual or not error.strerror else error.strerror
        found = _free(Path(name), error.errno)
        return f"{where}: found {found}; expected {expected}. Make room or {FOLDERS}; what is finished is kept"
    if error.errno == errno.EROFS:
        return f"{where}: found a read-only file system; expected one that can be written. Make it so or {FOLDERS}"
    return f"{where}: {error.strerror}"


def _without_folder(error: OSError, name: str) -> bool:
    """Whether a file is missing because its folder is: a name that somebody gave. Other missing files are bugs."""
    return error.errno == errno.ENOENT and not Path(name).parent.is_dir()


def amount(size: float) -> str:
    """Bytes in decimal units, such as `14.4 GB`."""
    units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
    unit, one = next(((unit, one) for unit, one in units if size >= one), ("bytes", 1.0))
    return f"{size / one:.0f} {unit}" if one == 1 else f"{size / one:.1f} {unit}"


def _free(path: Path, number: int) -> str:
    """What limits the file, in words: the room that is left on its file system, or the user's own limit."""
    if number == errno.EDQUOT:
        return "the quota used up"
    if number == errno.EFBIG:
        return "a limit on the size of files (ulimit -f)"
    folder = next((one for one in (path, *path.parents) if one.is_dir()), Path("/"))
    try:
        return f"{amount(shutil.disk_usage(folder).free)} free"
    except OSError:
        return "no room"
