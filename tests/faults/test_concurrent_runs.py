"""Processes execute two suites with the same teachers on the same results and cache, which is cleared and read meanwhile.

One after the other is stopped for a while, with whatever locks it holds.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdbench.records.files import find_records, read_record
from kdbench.records.reading import read_measured
from kdbench.records.verify import verify
from kdbench.reports import build, leaderboard
from kdbench.storage.cache import Cache
from tests.support.fault_tally import Lost
from tests.support.patience import PATIENCE
from tests.support.toys import toy_plugins

SUITES, PROCESSES, SEEDS = ("one", "other"), 4, 4  # processes of each suite
LEFT = ("*.partial*", "*.lock", ".tmp*", "checkpoint*", ".unfinished")


def session(results: Path, cache: Path, log: Path, suite: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.toy_session", str(results), str(cache), str(SEEDS), suite]
    with log.open("w") as stream:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True)


class Reader:
    """What readers find while others write: never a problem, and no finished record that is replaced."""

    def __init__(self, results: Path) -> None:
        self.results, self.seen = results, dict[Path, bytes]()

    def look(self) -> None:
        paths = list(find_records([self.results]))
        for path in paths:
            content = path.read_bytes()
            if self.seen.setdefault(path, content) != content:
                raise Lost(f"{path} is another record than before")
        found = read_measured([self.results], toy_plugins())
        assert found.problems == []
        assert leaderboard(build(found.runs, found.unfinished, found.units), found.profiles, "markdown")
        assert verify([self.results], toy_plugins())[1] == []
        assert len(found.runs) >= len(paths)


@pytest.mark.fault("processes that share results and cache, which is cleared meanwhile", times=len(SUITES) * PROCESSES * SEEDS)
def test_each_run_is_executed_once_and_none_fails(tmp_path: Path) -> None:
    results, cache = tmp_path / "results", tmp_path / "cache"
    results.mkdir()
    logs = [(suite, tmp_path / f"{suite} {number}.log") for suite in SUITES for number in range(PROCESSES)]
    processes = [session(results, cache, log, suite) for suite, log in logs]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    cleared, reader = 0, Reader(results)
    while any(process.poll() is None for process in processes):
        chosen = processes[cleared % len(processes)]
        chosen.send_signal(signal.SIGSTOP)
        Cache(cache).clear()
        reader.look()
        chosen.send_signal(signal.SIGCONT)
        cleared += 1
        time.sleep(0.2)
    ends = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in processes]
    told = "".join(log.read_text() for _, log in logs)
    assert [set(end.values()) for end in ends] == [{"ok"}] * len(processes), told
    reader.look()
    records = [read_record(path) for path in find_records([results])]
    assert [record.status for record in records] == ["ok"] * len(SUITES) * SEEDS
    assert cleared > 0
    assert [path for name in LEFT for folder in (results, cache) for path in folder.rglob(name)] == []
