"""A forked copy of a run ends where it returns into kdbench."""

from __future__ import annotations

import os

from kdbench.training.own_process import OwnProcess


def test_a_forked_child_ends_and_the_process_itself_goes_on() -> None:
    own = OwnProcess()
    own.check()
    child = os.fork()
    if child == 0:
        try:
            own.check()
        finally:
            os._exit(7)  # not reached by a child that has ended
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    own.check()
