"""A PostgreSQL server for tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ADVICE = "install the server (Debian: apt-get install postgresql), or set KDBENCH_NO_POSTGRES=1 to leave these tests out"


def binary(name: str) -> str:
    """Finds a program of the server, which Debian keeps off the path."""
    of_debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(of_debian[-1]) if of_debian else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: {ADVICE}")
    return found


@contextmanager
def server() -> Iterator[str]:
    """Starts a server with an empty database, yields its URL, and stops it."""
    if os.environ.get("KDBENCH_NO_POSTGRES") == "1":
        pytest.skip("KDBENCH_NO_POSTGRES=1")
    # Not in pytest's folder: the server refuses to be root, and only root may enter that.
    folder = Path(tempfile.mkdtemp(prefix="kdbench-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    control = binary("pg_ctl")
    try:
        call(binary("initdb"), "-D", data, "-U", "kdbench", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
        # Its output goes to a file: an inherited pipe would never close.
        call(control, "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql://kdbench@127.0.0.1:{port}/postgres"
        finally:
            call(control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
