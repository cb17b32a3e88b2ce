from __future__ import annotations

from kdbench.records.problem import LONGEST, Problem


def test_a_name_with_a_line_feed_makes_no_line_of_its_own() -> None:
    problem = Problem("results/a\nleft out: b", "arrays\nunusable", "1\n2", "3")
    assert problem.line == r"results/a\u000aleft out: b: arrays\u000aunusable: found 1\u000a2, expected 3"
    assert str(problem).splitlines() == [
        r"results/a\u000aleft out: b: arrays\u000aunusable",
        r"  found     1\u000a2",
        "  expected  3",
    ]


def test_a_long_value_is_cut() -> None:
    assert f"found {'x' * (LONGEST - 3)}..., expected y" in Problem("a", "b", "x" * 1000, "y").line
