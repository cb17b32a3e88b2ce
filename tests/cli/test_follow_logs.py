"""`kdbench run --verbose`: lines of logs as they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kdbench.cli.follow_logs import LogFollower
from kdbench.contracts import Event, Site, Work
from kdbench.engines.logs import log_path, printing_to
from kdbench.engines.messages import ExecuteRun, Started, preparations
from tests.support.toys import run_spec

OnEvent = Callable[[Work, Event], None]


class Played:
    """An engine that does what a function says."""

    def __init__(self, play: Callable[[OnEvent], None]) -> None:
        self.play = play

    def execute(self, work: Sequence[Work], site: Site, on_event: OnEvent) -> None:  # noqa: ARG002
        self.play(on_event)


def test_whole_lines_are_shown_after_the_label_of_their_work(tmp_path: Path) -> None:
    """Neither lines of earlier executions, which stay in the logs, nor any of work that has not started."""
    site, spec, other = Site(tmp_path / "results", tmp_path / "cache"), run_spec(("a",)), run_spec(("b",))
    run, [teacher] = ExecuteRun(spec=spec), preparations([spec])
    waiting = ExecuteRun(spec=other)
    paths = [log_path(site, run), log_path(site, teacher), log_path(site, waiting)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of an earlier execution, and longer than what follows\n")
    shown: list[str] = []

    def play(on_event: OnEvent) -> None:
        assert paths[0].exists()
        on_event(run, Started())
        on_event(teacher, Started())
        follower.poll()
        assert shown == []
        with printing_to(paths[0]), paths[0].open("a") as stream:
            stream.write("one\ntw")
            stream.flush()
            follower.poll()
            assert shown == [f"{spec.label} | one"]
            stream.write("o\nunfinished")
        with paths[1].open("a") as stream:  # a log of several processes
            stream.write("loaded\n")
        with paths[2].open("a") as stream:  # of a run that another process executes
            stream.write("not ours\n")

    follower = LogFollower(Played(play), shown.append)
    heard: list[Event] = []
    follower.execute([run, teacher, waiting], site, lambda _, event: heard.append(event))
    assert sorted(shown) == sorted([f"{spec.label} | {line}" for line in ("one", "two", "unfinished")] + ["teacher a | loaded"])
    assert heard == [Started(), Started()]
