"""How long commands take to start, in seconds of the processor."""

from __future__ import annotations

import resource

import pytest

from tests.support.processes import SCRIPT, process


@pytest.mark.parametrize("argument", ["--help", "plugins"])
def test_starting_takes_less_than_half_a_second(argument: str) -> None:
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process(SCRIPT, argument).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    found = min(once() for _ in range(5))
    print(f"kdbench {argument}: {found:.2f} s")
    assert found < 0.5
