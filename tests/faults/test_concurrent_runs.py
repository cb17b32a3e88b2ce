"""Several processes execute one suite on the same results and cache, while the cache is cleared again and again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdbench.records.files import find_records, read_record
from kdbench.records.verify import verify
from kdbench.storage.cache import Cache
from tests.support.patience import PATIENCE
from tests.support.toys import toy_plugins

PROCESSES, SEEDS = 4, 4
LEFT = ("*.partial*", "*.lock", ".tmp*", "checkpoint*", ".unfinished")


def session(results: Path, cache: Path, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.toy_session", str(results), str(cache), str(SEEDS)]
    with log.open("w") as stream:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True)


@pytest.mark.fault("processes that share results and cache, which is cleared meanwhile", times=PROCESSES * SEEDS)
def test_each_run_is_executed_once_and_none_fails(tmp_path: Path) -> None:
    results, cache = tmp_path / "results", tmp_path / "cache"
    processes = [session(results, cache, tmp_path / f"{number}.log") for number in range(PROCESSES)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    cleared = 0
    while any(process.poll() is None for process in processes):
        Cache(cache).clear()
        cleared += 1
        time.sleep(0.2)
    ends = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in processes]
    logs = "".join((tmp_path / f"{number}.log").read_text() for number in range(PROCESSES))
    assert [set(end.values()) for end in ends] == [{"ok"}] * PROCESSES, logs
    records = [read_record(path) for path in find_records([results])]
    assert [record.status for record in records] == ["ok"] * SEEDS
    assert verify([results], toy_plugins())[1] == []
    assert cleared > 0
    assert [path for name in LEFT for folder in (results, cache) for path in folder.rglob(name)] == []
