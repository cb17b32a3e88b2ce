"""What only records beside each other show."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.records.parts import Part, differences
from kdbench.records.verify import usable, verify
from tests.support.made_records import DIGEST, edit, made, oracle, reranked, several, some_ranks, whats
from tests.support.toys import plugged


def test_a_run_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    paths = several(tmp_path / "one", 3)
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    records, problems = verify([tmp_path / "other", tmp_path / "one"])
    assert len(records) == 3
    assert sorted(problem.path for problem in problems) == sorted(map(str, paths))  # the folder given first is kept
    assert {problem.found for problem in problems} == {"the same record"}


def test_the_first_of_two_records_of_a_run_stays(tmp_path: Path) -> None:
    ours, theirs = (made(tmp_path / name) for name in ("ours", "theirs"))
    better = some_ranks(0) | {"text": some_ranks(0)["text"] * 0 + 1}
    reranked(theirs, better)
    (kept,), (problem,) = verify([ours, theirs])
    assert kept.metrics == oracle(some_ranks(0))
    assert problem.path == str(theirs)
    expected = f"another record of it, with RSUM {oracle(better)['rsum']:.2f} instead of {oracle(some_ranks(0))['rsum']:.2f}"
    assert problem.found == expected
    assert problem.expected == f"one, found first at {ours}"


def test_a_record_that_is_wrong_does_not_drive_out_a_right_one(tmp_path: Path) -> None:
    ours, theirs = (made(tmp_path / name) for name in ("ours", "theirs"))
    edit(theirs, lambda record: record.update(label="mine"))
    for paths in ([ours, theirs], [theirs, ours]):
        (kept,), problems = usable(paths)
        assert kept.label != "mine"
        assert whats(problems) == ["label does not follow from the spec"]


def test_a_digest_that_most_do_not_have_is_named_with_theirs(tmp_path: Path) -> None:
    paths = several(tmp_path, 5)
    edit(paths[2], lambda record: record.update(dataset_digest="e" * 64))
    edit(paths[4], lambda record: record.update(dataset_digest="f" * 64))
    records, problems = usable([tmp_path])
    assert {record.dataset_digest for record in records} == {DIGEST}
    assert len(records) == 3
    assert {problem.path: problem.found for problem in problems} == {str(paths[2]): "e" * 64, str(paths[4]): "f" * 64}
    assert all(f"{DIGEST} (3 of 5 records)" in problem.expected for problem in problems)


def test_without_a_majority_no_digest_stands(tmp_path: Path) -> None:
    paths = several(tmp_path, 4)
    for path in paths[:2]:
        edit(path, lambda record: record.update(dataset_digest="e" * 64))
    records, problems = usable([tmp_path])
    assert records == []
    assert {problem.found for problem in problems} == {DIGEST, "e" * 64}
    assert all("at most half agree" in problem.expected for problem in problems)


def test_datasets_of_other_parameters_or_suites_may_differ(tmp_path: Path) -> None:
    made(tmp_path, 0)
    made(tmp_path, 0, spec={"suite": "others"}, dataset_digest="e" * 64)
    made(tmp_path, 0, spec={"dataset": plugged("beads", train=20)}, dataset_digest="f" * 64)
    records, problems = usable([tmp_path])
    assert (len(records), problems) == (3, [])


def test_what_is_wrong_already_has_no_vote(tmp_path: Path) -> None:
    paths = several(tmp_path, 3)
    for path in paths[1:]:
        edit(path, lambda record: record.update(dataset_digest="e" * 64, label="mine"))
    records, problems = usable([tmp_path])
    assert [record.run_id for record in records] == [paths[0].stem]
    assert set(whats(problems)) == {"label does not follow from the spec"}


def test_a_cell_with_two_defaults_is_told(tmp_path: Path) -> None:
    """Otherwise a default that changed silently, or one that a record makes up, would join runs that differ."""
    then, now = (plugged("equal").replace(params={"power": power}, defaults={"power": power}) for power in (1.0, 2.0))
    one, other = made(tmp_path, 0, spec={"strategy": then}), made(tmp_path, 1, spec={"strategy": now})
    (kept,), (problem,) = usable([one, other])
    assert kept.spec.seed == 0
    assert problem.path == str(other)
    assert problem.what == "another default than in records of the same cell"
    assert problem.found == "equal.power: 1.0 then, 2.0 now"


def part(content: str | None = "a" * 64, code: str = "b" * 64, package: str = "kdbench-mine") -> dict[str, Part]:
    return {"teacher a": Part(package=package, version="1", code=code, content=content)}


STATES = st.lists(
    st.sampled_from([{}, part(), part("c" * 64), part(None), part(code="d" * 64), part(code="d" * 64, package="kdbench")]),
    min_size=1,
    max_size=4,
)


def test_a_row_averages_runs_of_one_code_and_content_only(tmp_path: Path) -> None:
    """Of a cell's seeds, those that differ from the one begun last are left out and told."""
    folders = iter(range(1000))

    @settings(max_examples=30)
    @given(STATES, st.randoms(use_true_random=False))
    def holds(states: list[dict[str, Part]], random: object) -> None:
        folder = tmp_path / str(next(folders))
        days = list(range(1, len(states) + 1))
        random.shuffle(days)  # type: ignore[attr-defined]
        times: list[dict[str, Any]] = [
            {"started": f"2025-01-{day:02}T00:00:00Z", "finished": f"2025-01-{day:02}T00:00:10Z"} for day in days
        ]
        paths = [made(folder, seed, parts=parts, **times[seed]) for seed, parts in enumerate(states)]
        known = [seed for seed, parts in enumerate(states) if parts]
        newest = states[max(known, key=lambda seed: days[seed])] if known else {}
        kept = [seed for seed, parts in enumerate(states) if not differences(parts, newest)]
        records, problems = usable([folder])
        assert sorted(record.spec.seed for record in records) == kept
        assert {problem.path for problem in problems} == {str(paths[seed]) for seed in range(len(states)) if seed not in kept}
        assert all("teacher a: " in problem.found and "--redo" in problem.expected for problem in problems)

    holds()
