"""A call in a process of its own: a fork of this process. Whatever the call changes, and all that it starts, ends with it.

For Linux, where the kernel gives the orphans of a fork to this process and ends a fork with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

SIGNAL_AT_PARENTS_DEATH, ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
ANSWER_BYTES = 4096  # a pipe takes as many at once
TASKS = Path("/proc/self/task")  # the threads of this process


def may_fork() -> bool:
    """Whether a fork of this process can do all that the process could: on Linux, while it has a single thread.

    Threads are missing in a fork, with the locks held that they held. Those of CUDA and of OpenMP count, too.
    """
    return sys.platform == "linux" and len(list(TASKS.iterdir())) == 1


class Fork:
    """A fork of this process that makes one call. Its answer is a text of at most `ANSWER_BYTES`, not empty.

    Use one at a time, and start no other process meanwhile: what has become a child of this process is killed at its end.
    """

    def __init__(self, call: Callable[[], str]) -> None:
        self.others = _children()
        _prctl(ADOPT_ORPHANS, 1)
        self.file, there = os.pipe()  # readable when the fork has answered or died
        self.process = os.fork()
        if self.process == 0:
            os.close(self.file)
            _answer(call, there)
        os.close(there)

    def end(self) -> tuple[str, int]:
        """Waits for the end. Returns the answer, "" if it died before, and its exit code; that of a signal is negative."""
        answer = os.read(self.file, ANSWER_BYTES).decode(errors="replace")
        os.close(self.file)
        _, status = os.waitpid(self.process, 0)
        while orphans := _children() - self.others:  # killed, they leave theirs
            for orphan in orphans:
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)
        return answer, os.waitstatus_to_exitcode(status)


def _answer(call: Callable[[], str], there: int) -> None:
    """Makes the call, answers and ends the process, without anything that others have registered for its exit."""
    code = 1
    try:
        _prctl(SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
        os.register_at_fork(after_in_child=lambda: os.close(there))  # a copy of this fork does not answer
        answer = call()
        os.write(there, answer.encode()[:ANSWER_BYTES])
        code = 0
    finally:
        os._exit(code)


def _children() -> set[int]:
    """The children of this process, which has one thread."""
    return {int(child) for child in (TASKS / str(os.getpid()) / "children").read_text().split()}


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
