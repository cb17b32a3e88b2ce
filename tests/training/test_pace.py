"""Checkpoints by steps, or by what they cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdbench.training.pace import FIRST, SHARE, Pace


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_by_steps_the_time_does_not_matter() -> None:
    clock = Clock()
    pace = Pace(3, clock)
    found = []
    for step in range(1, 10):
        clock.now += 10 * FIRST
        if pace.due(step):
            found.append(step)
            with pace.writing():
                clock.now += 5.0
    assert found == [3, 6, 9]


@given(st.lists(st.tuples(st.floats(0.001, 20.0), st.floats(0.0, 5.0)), min_size=1, max_size=200))
def test_by_time_they_take_a_hundredth_and_are_written_as_soon_as_that_allows(steps: list[tuple[float, float]]) -> None:
    clock, written = Clock(), [(1000.0, FIRST * SHARE)]  # when each was finished, and its cost
    pace = Pace(None, clock)
    for step, (seconds, cost) in enumerate(steps, start=1):
        clock.now += seconds
        last, before = written[-1]
        waited = clock.now - last
        assert pace.due(step) == (waited >= before / SHARE)
        if pace.due(step):
            with pace.writing():
                clock.now += cost
            written.append((clock.now, clock.now - (last + waited)))
    costs = sum(cost for _, cost in written[1:-1])  # of the last one nothing is waited for yet
    assert costs <= SHARE * (written[-1][0] - 1000.0) + 1e-6
