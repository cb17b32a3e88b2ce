"""Tables made from published records, for the README, the results page and results/README.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docs.tools.blocks import cell, table
from kdbench.plugins.loading import installed
from kdbench.records.reading import Reading, read_measured
from kdbench.reports import Board, build, leaderboard
from kdbench.reports.board_text import rows_text

ROOT = Path(__file__).resolve().parents[2]
SHORT = ("rank", "teachers", "strategy", "seeds", "t2i R@1", "i2t R@1")  # columns that the README shows before the headline


@cache
def read(folder: str) -> tuple[Reading, Board]:
    """The records of a folder and their board. Raises AssertionError for a record that cannot be relied on."""
    found = read_measured([ROOT / folder], installed())
    assert not found.problems, found.problems[0]
    return found, build(found.runs, found.unfinished, found.units)


def full_leaderboard(folder: str) -> str:
    """What `kdbench leaderboard FOLDER --format markdown` prints."""
    found, board = read(folder)
    return leaderboard(board, found.profiles, "markdown")


def short_leaderboard(folder: str) -> str:
    """The first table in at most nine columns, its sentence above it."""
    _, board = read(folder)
    first = board.tables[0]
    text, _, _ = rows_text(first, "markdown", names=list(dict.fromkeys([*SHORT, "RSUM", first.headline.label, "train (s)"])))
    return f"{first.sentence}\n\n{text}"


def verdicts(folder: str) -> str:
    """The sentence of each table, by student."""
    _, board = read(folder)
    return "\n".join(f"- {one.student}: {one.sentence}" for one in board.tables)


def index() -> str:
    """Every folder of records: its runs, students, datasets and what to read of it."""
    rows = []
    for folder in sorted(path for path in (ROOT / "results").iterdir() if path.is_dir()):
        found, _ = read(f"results/{folder.name}")
        if not found.runs:  # figures of `make bench`
            continue
        records = [run.record for run in found.runs]
        students = sorted({one.spec.student.name for one in records if not one.spec.reference})
        datasets = sorted({one.spec.dataset.name for one in records})
        cells = len({one.spec.cell_id for one in records})
        studies = len(found.studies) or len(list(folder.glob("sweep/*.json")))
        rows.append([f"[{folder.name}]({folder.name})", str(len(records)), str(cells), cell(", ".join(students)),
                     cell(", ".join(datasets)), str(studies or "–")])  # fmt: skip
    return table(["folder", "runs", "cells", "students", "datasets", "studies"], rows)
