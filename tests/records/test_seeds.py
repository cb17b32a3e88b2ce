"""Seeds that are not there are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.records.files import read_record
from kdbench.records.record import Record
from kdbench.records.seeds import uneven
from kdbench.suite.race import RaceDesign
from tests.support.made_records import made
from tests.support.toys import plugged

RACE = RaceDesign(min_seeds=2, max_seeds=4, looks=2)


def some(folder: Path, rows: dict[str, list[int]], **spec: object) -> list[Record]:
    """Records of these strategies with these seeds."""
    made_ = [made(folder, seed, spec={"strategy": plugged(name), **spec}) for name, seeds in rows.items() for seed in seeds]
    return [read_record(path) for path in made_]


def test_a_row_without_a_seed_of_the_others_is_named(tmp_path: Path) -> None:
    (told,) = uneven(some(tmp_path, {"equal": [0, 1, 2], "ours": [0, 2]}))
    assert told == "suite toys, beads: no record of seed 1 that other rows of the table have: toy · a+b · ours"


def test_many_rows_are_counted(tmp_path: Path) -> None:
    (told,) = uneven(some(tmp_path, {"equal": [0, 1], **{f"row {index}": [0] for index in range(6)}}))
    assert told.endswith("toy · a+b · row 0, toy · a+b · row 1, toy · a+b · row 2, toy · a+b · row 3 and 2 more rows")


def test_seeds_that_a_whole_table_lacks(tmp_path: Path) -> None:
    (told,) = uneven(some(tmp_path, {"equal": [1, 2, 5], "ours": [1, 2, 5]}))
    assert told == "suite toys, beads: no row has seeds 3, 4, although there are seeds 1 to 5"


@pytest.mark.parametrize(("seeds", "gap"), [([0, 1, 3], "seed 2"), ([1, 2], "seed 0"), ([0, 1], "")])
def test_a_race_gives_unequal_seeds_but_in_order(seeds: list[int], gap: str, tmp_path: Path) -> None:
    told = uneven(some(tmp_path, {"equal": [0, 1, 2, 3], "ours": seeds}, race=RACE))
    assert told == (
        [f"suite toys, beads: no record of {gap} that it should have run before its last: toy · a+b · ours"] if gap else []
    )


def test_a_seed_that_failed_is_not_lacking(tmp_path: Path) -> None:
    records = some(tmp_path, {"equal": [0, 1, 2], "ours": [0, 2]})
    failed = made(tmp_path, 1, spec={"strategy": plugged("ours")}, status="failed", reason="no memory")
    assert uneven([*records, read_record(failed)]) == []


def test_suites_may_have_other_seeds(tmp_path: Path) -> None:
    assert uneven([*some(tmp_path, {"equal": [0, 1]}), *some(tmp_path, {"equal": [0, 1, 2]}, suite="others")]) == []
