"""All that a leaderboard is made from, read from folders and bundles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.records.bundle.submit import submit
from kdbench.records.reading import read_measured
from kdbench.records.record import ranks_path, read_ranks, read_series, series_path
from kdbench.tasks.retrieval.concepts import concepts_path, write_concepts
from tests.support.made_records import DIGEST, edit, made, several

IMAGES, CAPTIONS = np.arange(20) // 2, np.arange(30) // 3


def with_concepts(results: Path, count: int = 2) -> list[Path]:
    paths = several(results, count)
    sha256 = write_concepts(paths[0], DIGEST, IMAGES, CAPTIONS)
    for path in paths:
        edit(path, lambda record: record.update(concepts_sha256=sha256))
    return paths


@pytest.mark.parametrize("bundled", [False, True])
def test_runs_with_their_ranks_series_and_concepts(bundled: bool, tmp_path: Path) -> None:
    paths = with_concepts(tmp_path / "results")
    place = tmp_path / "results"
    if bundled:
        place = submit([place], tmp_path / "b.zip").path
    found = read_measured([place])
    assert found.problems == []
    assert sorted(run.record.run_id for run in found.runs) == sorted(path.stem for path in paths)
    for run in found.runs:
        (path,) = [path for path in paths if path.stem == run.record.run_id]
        expected = read_ranks(path)
        np.testing.assert_array_equal(run.ranks().text, expected.text)
        np.testing.assert_array_equal(run.ranks().image, expected.image)
        assert run.series() == read_series(path)
    images, captions = found.concepts[DIGEST]
    np.testing.assert_array_equal(images[:, None] == captions, IMAGES[:, None] == CAPTIONS)


def test_records_from_before_there_were_concepts(tmp_path: Path) -> None:
    paths = several(tmp_path / "results", 2)
    assert read_measured([tmp_path]).concepts == {}
    write_concepts(paths[0], DIGEST, IMAGES, CAPTIONS)
    found = read_measured([tmp_path])
    assert (set(found.concepts), found.problems) == ({DIGEST}, [])


def test_unfinished_runs_are_apart(tmp_path: Path) -> None:
    made(tmp_path, status="failed", reason="out of disk", metrics={}, ranks_sha256=None, series=False)
    found = read_measured([tmp_path])
    assert (found.runs, [record.reason for record in found.unfinished]) == ([], ["out of disk"])


def test_damaged_ranks_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    path = made(tmp_path)
    ranks_path(path).write_bytes(ranks_path(path).read_bytes()[:-9])
    (run,) = read_measured([tmp_path]).runs
    with pytest.raises(RecordError, match="ranks unusable"):
        run.ranks()


def test_metrics_that_do_not_follow_from_the_ranks_are_told(tmp_path: Path) -> None:
    """Consistent with each other, so that the record alone does not show it."""
    path = made(tmp_path)

    def flatter(record: dict[str, dict[str, float]]) -> None:
        metrics = record["metrics"]
        metrics["image_retrieval_recall@5"] += 0.01
        metrics["rsum"] = 100 * sum(value for name, value in metrics.items() if "@" in name)
        metrics["mean_recall"] = metrics["rsum"] / 4

    edit(path, flatter)
    found = read_measured([tmp_path])
    assert found.problems == []
    with pytest.raises(RecordError, match=r"image_retrieval_recall@5 does not follow from the ranks"):
        found.runs[0].ranks()


@pytest.mark.parametrize("damage", ["none", "cut", "other"])
def test_a_damaged_series_is_as_none(damage: str, tmp_path: Path) -> None:
    path = made(tmp_path, series=damage != "none")
    if damage == "cut":
        series_path(path).write_text("{")
    if damage == "other":
        series_path(path).write_text(json.dumps({"step": [1]}))
    assert read_measured([tmp_path]).runs[0].series() == {}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "missing: what the test split shows"),
        (lambda path: path.write_bytes(b"zip"), "not the concepts that the record was written with"),
    ],
)
def test_concepts_that_are_not_the_records(damage: object, told: str, tmp_path: Path) -> None:
    paths = with_concepts(tmp_path)
    damage(concepts_path(paths[0], DIGEST))  # type: ignore[operator]
    found = read_measured([tmp_path])
    assert [problem.what for problem in found.problems] == [told]
    assert (len(found.runs), found.concepts) == (2, {})


def test_concepts_of_another_split_and_of_another_folder(tmp_path: Path) -> None:
    first = made(tmp_path / "a")
    write_concepts(first, DIGEST, IMAGES[:-1], CAPTIONS)
    assert [problem.what for problem in read_measured([tmp_path]).problems] == ["concepts unusable"]
    write_concepts(first, DIGEST, IMAGES, CAPTIONS)
    second = made(tmp_path / "b", 1)
    write_concepts(second, DIGEST, IMAGES, CAPTIONS[::-1])
    found = read_measured([tmp_path / "a", tmp_path / "b"])
    assert [problem.what for problem in found.problems] == ["concepts that differ from those of another folder"]
    np.testing.assert_array_equal(found.concepts[DIGEST][1], CAPTIONS)


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file or folder"):
        read_measured([tmp_path / "nowhere"])
