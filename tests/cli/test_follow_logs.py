"""`kdbench run --verbose`: lines of logs as they come."""

from __future__ import annotations

from pathlib import Path

from kdbench.cli.follow_logs import LogFollower
from kdbench.contracts import Site
from kdbench.engines.logs import log_path
from kdbench.engines.messages import ExecuteRun, preparations
from tests.support.toys import run_spec


def test_whole_lines_are_shown_after_the_label_of_their_work(tmp_path: Path) -> None:
    site, spec = Site(tmp_path / "results", tmp_path / "cache"), run_spec(("a",))
    run, [teacher] = ExecuteRun(spec=spec), preparations([spec])
    paths = [log_path(site, run), log_path(site, teacher)]
    for path in paths:
        path.parent.mkdir(parents=True)
    paths[0].write_text("of an earlier execution\n")
    shown: list[str] = []
    with LogFollower([run, teacher], site, shown.append) as follower:
        assert not paths[0].exists()
        with paths[0].open("a") as stream:
            stream.write("one\ntw")
            stream.flush()
            follower.ended.set()  # polled below, not by the clock
            follower.thread.join()
            follower.poll()
            assert shown == [f"{spec.label} | one"]
            stream.write("o\nunfinished")
        paths[1].write_text("loaded\n")
    assert shown == [f"{spec.label} | {line}" for line in ("one", "two", "unfinished")] + ["teacher a | loaded"]
