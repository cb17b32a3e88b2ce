"""What commands cost that compute nothing, above an empty Python process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.limits.timing import Row, command, row
from tests.benchmarks.test_many_records import many_records
from tests.support.paths import ROOT

ROUNDS = 5
MANY = "seeds=[" + ", ".join(map(str, range(2_500))) + "]"  # × 4 cells of the quickstart


def rows(large: bool) -> list[Row]:
    return list(_rows(large))


def _rows(large: bool) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        done, many = Path(folder) / "done", Path(folder) / "many"
        command("run", "quickstart", "--smoke", "--results", str(done), "--no-profile")
        for number in range(2):  # the first one compiles
            fresh = command("check", "quickstart", KDBENCH_CACHE=str(Path(folder) / f"cache{number}"))
        yield row("`kdbench check quickstart`, the first time", [fresh[0]], "s", "")
        yield row("  its memory", [fresh[1]], "MB", "")
        nothing = ("run", "quickstart", "--smoke", "--results", str(done), "--no-profile")
        yield from _both("check quickstart", ("check", "quickstart"), "≤ 1.0", "≤ 150")
        yield from _both("run with nothing to do", nothing, "≤ 1.0", "")
        yield from _both("plugins", ("plugins",), "≤ 0.35", "")
        published = [str(ROOT / "results" / suite) for suite in ("ammkd", "emoji", "strategies", "students")]
        yield from _both("verify 300 records", ("verify", *published), "≤ 1.5", "≤ 150")
        yield from _both("plan of 10,000 runs", ("plan", "quickstart", MANY), "≤ 3", "")
        if large:
            many_records(many)
            yield from _both("leaderboard over 5,000 records", ("leaderboard", str(many)), "≤ 3", "")


def _both(name: str, arguments: tuple[str, ...], reach: str, most: str) -> Iterator[Row]:
    """Seconds above `python -c pass`, and the peak of memory."""
    command(*arguments)  # what is computed once and kept
    spent, memory = [], 0.0
    for _ in range(ROUNDS):
        empty, _ = command()
        own, peak = command(*arguments)
        spent.append(own - empty)
        memory = max(memory, peak)
    yield row(f"`kdbench {name}`", spent, "s", reach)
    yield row("  its memory", [memory], "MB", most)
