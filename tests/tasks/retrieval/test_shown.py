"""Images and captions for a person to look at, and what models put on top of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError, Split
from kdbench.contracts.shown import Shown
from kdbench.deploy.export.load import trained_student
from kdbench.deploy.gallery.outputs import outputs_of
from kdbench.tasks.judged import Judged
from kdbench.tasks.retrieval import Retrieval
from tests.support.gallery_runs import trained
from tests.support.toys import Beads, ints

T2I, I2T = Retrieval().queries


def shown_of(dataset: Any) -> Shown:
    found = Retrieval().show(dataset)
    assert found is not None
    return found


def made(**changes: Any) -> Any:
    """Three images, the last two of one concept, and four captions, the first and the third of the first image."""
    images = [np.full((4, 4, 3), shade, dtype=np.uint8) for shade in (10, 20, 30)]
    fields: dict[str, Any] = {
        "images": images,
        "captions": ["one", "two", "uno", "due"],
        "image_concepts": ints(7, 9, 9),
        "caption_concepts": ints(7, 9, 7, 9),
    }
    split = Split(**(fields | changes))
    return SimpleNamespace(split=lambda name: {"test": split}[name], size=4)


def test_what_is_asked_and_what_is_right() -> None:
    shown = shown_of(made())
    asked = shown.query(T2I, 1)
    assert (asked.text, asked.name) == ("two", "caption 1")
    assert asked.picture is not None
    assert asked.picture()[0, 0, 0] == 20, "the first picture that it was written for"
    assert list(shown.right(T2I, 1)) == [1, 2]
    assert list(shown.right(I2T, 0)) == [0, 2]
    image = shown.query(I2T, 0)
    assert (image.text, image.name, list(image.about)) == ("", "image 0", ["one", "uno"])
    assert shown.candidate(I2T, 3).text == "due"
    found = shown.candidate(T2I, 2)
    assert found.picture is not None
    assert found.picture()[0, 0, 0] == 30


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"image_ids": ["a.png", "b.png", "c.png"]}, "b.png"),
        ({"sources": ["/x/a.png", "/x/b.png", "/x/c.png"]}, "b.png"),
        ({"image_ids": ["a", "b", "c"], "sources": ["/x/1", "/x/2", "/x/3"]}, "b"),
    ],
)
def test_a_picture_is_called_by_its_id_or_its_file(given: dict[str, Any], name: str) -> None:
    assert shown_of(made(**given)).candidate(T2I, 1).name == name


def test_a_tie_counts_against_the_model() -> None:
    shown = shown_of(made())
    outputs = {"images": np.ones((3, 2), np.float32), "captions": np.ones((4, 2), np.float32)}
    assert [hit.position for hit in shown.top(outputs, T2I, 1, 5)] == [0, 1, 2]
    assert [hit.position for hit in shown.top(outputs, T2I, 0, 5)] == [1, 2, 0]
    assert [hit.position for hit in shown.top(outputs, T2I, 0, 2)] == [1, 2]


@pytest.mark.parametrize("name", ["equal 0", "a"])
def test_the_first_right_candidate_is_where_the_stored_rank_says(name: str) -> None:
    """Of a student, and of a teacher itself."""
    runs = trained()
    shown, record = runs.shown, runs.records[name]
    outputs = outputs_of(record, shown, runs.context.plugins, runs.context.cache)
    arrays = runs.runs[name].arrays()
    for of in (T2I, I2T):
        count = len(arrays["image" if of is I2T else "text"])
        for index, rank in enumerate(arrays[of.array].tolist()):
            top = shown.top(outputs, of, index, count)
            right = set(shown.right(of, index))
            assert next(place for place, hit in enumerate(top, 1) if hit.position in right) == rank
            assert [hit.score for hit in top] == sorted((hit.score for hit in top), reverse=True)


def searched(query: str | Path) -> Any:
    runs = trained()
    record = runs.records["equal 0"]
    student = trained_student(record, runs.context.plugins, runs.context.cache)
    shown = runs.shown
    outputs = outputs_of(record, shown, runs.context.plugins, runs.context.cache)
    return shown, outputs, shown.search(student, outputs, query, 4)


def test_a_caption_of_the_split_is_searched_as_it_is_ranked() -> None:
    index = 4
    shown, outputs, found = searched(Beads().split("test").captions[index])
    assert found.of.array == T2I.array
    assert found.query.text == shown.query(T2I, index).text
    assert [hit.position for hit in found.hits] == [hit.position for hit in shown.top(outputs, T2I, index, 4)]


def test_a_picture_of_the_split_is_searched_as_it_is_ranked(tmp_path: Path) -> None:
    index = 3
    Image.fromarray(Beads().split("test").images[index]).save(tmp_path / "beads.png")
    shown, outputs, found = searched(tmp_path / "beads.png")
    assert found.of.array == I2T.array
    assert (found.query.name, found.query.text) == ("beads.png", "")
    assert [hit.position for hit in found.hits] == [hit.position for hit in shown.top(outputs, I2T, index, 4)]


def test_a_picture_of_another_shape_becomes_square(tmp_path: Path) -> None:
    Image.new("RGB", (30, 12), "red").save(tmp_path / "wide.png")
    assert len(searched(tmp_path / "wide.png")[2].hits) == 4
    with pytest.raises(KdbenchError, match="no such file"):
        searched(tmp_path / "none.png")


def test_tasks_with_other_queries_show_nothing() -> None:
    assert Judged().show(made()) is None
