"""A dataset is checked to its end, although some of its items cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError, Split, SplitName, UnusableItems
from kdbench.data.full_check import check_all
from kdbench.data.prepare import Problem, check
from tests.support.toys import Beads


class Refusing(Beads):
    """Beads that refuse some items, split by split, until these are left out."""

    notes = ("two members are not read",)

    def __init__(self, refused: dict[SplitName, list[str]], left_out: Path | None, deaf: bool = False) -> None:
        super().__init__()
        self.refused = refused
        self.lines = left_out.read_text().splitlines() if left_out and not deaf else []

    def split(self, name: SplitName) -> Split:
        wrong = {source: f"{source}: no caption" for source in self.refused.get(name, []) if source not in self.lines}
        if wrong:
            raise UnusableItems("dataset beads", wrong)
        return super().split(name)


def problem(source: str) -> Problem:
    return Problem(None, None, source, f"{source}: no caption")


def test_items_of_all_splits_are_told_and_the_rest_is_counted() -> None:
    refused: dict[SplitName, list[str]] = {"train": ["a", "b"], "test": ["c"]}
    report = check_all(lambda path: Refusing(refused, path))
    assert report.problems == [problem("a"), problem("b"), problem("c")]
    assert report.digest is None
    assert report.counts == check(Beads()).counts
    assert report.notes == ["two members are not read"]


def test_what_a_list_leaves_out_stays_out(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a\n")
    opened: list[Path | None] = []

    def open_it(path: Path | None) -> Any:
        opened.append(path)
        return Refusing({"train": ["a", "b"]}, path)

    assert check_all(open_it, listed).problems == [problem("b")]
    assert opened[0] == listed
    assert listed.read_text() == "a\n"
    assert check_all(lambda path: Refusing({"train": ["a"]}, path), listed).digest == check(Beads()).digest


def test_a_dataset_that_does_not_leave_out_what_it_is_told_to() -> None:
    with pytest.raises(UnusableItems, match="dataset beads: found 1 item that cannot be used: a: no caption"):
        check_all(lambda path: Refusing({"train": ["a"]}, path, deaf=True))


def test_nothing_may_be_left() -> None:
    """What cannot be used is told all the same."""

    class Empty(Refusing):
        def split(self, name: SplitName) -> Split:
            split = super().split(name)
            if self.lines:
                raise KdbenchError("no images of the split train")
            return split

    report = check_all(lambda path: Empty({"train": ["a"]}, path))
    assert (report.problems, report.rest) == ([problem("a")], "no images of the split train")
    with pytest.raises(KdbenchError, match="no images"):
        check_all(lambda path: Empty({}, None) if path else _raise())


def _raise() -> Any:
    raise KdbenchError("no images")
