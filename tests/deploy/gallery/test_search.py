"""A search by a trained student."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.deploy.gallery.search import search
from tests.support.gallery_runs import trained
from tests.support.toys import Beads, run_context

CAPTION = Beads().split("test").captions[0]


def test_pictures_by_a_text() -> None:
    runs = trained()
    page = search(runs.records["equal 0"], CAPTION, 3, runs.context.plugins, runs.context.cache)
    assert page.title == f"“{CAPTION}”"
    assert page.facts == [runs.records["equal 0"].label]
    (answer,) = page.sections[0].cards[0].answers
    assert len(answer.top) == 3
    assert all(one.right is None and one.item.about and not one.item.text for one in answer.top)
    assert [one.score for one in answer.top] == sorted((one.score for one in answer.top), reverse=True)


def test_texts_by_a_picture(tmp_path: Path) -> None:
    runs = trained()
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    page = search(runs.records["equal 0"], tmp_path / "red.png", 2, runs.context.plugins, runs.context.cache)
    assert page.title == "red.png"
    assert all(one.item.text for one in page.sections[0].cards[0].answers[0].top)


def test_what_cannot_be_searched(tmp_path: Path) -> None:
    runs = trained()
    elsewhere = run_context(tmp_path)
    with pytest.raises(KdbenchError, match="empty query"):
        search(runs.records["equal 0"], "  ", 3, runs.context.plugins, runs.context.cache)
    with pytest.raises(KdbenchError, match=r"weights of run .* are missing"):
        search(runs.records["equal 0"], CAPTION, 3, elsewhere.plugins, elsewhere.cache)
    with pytest.raises(KdbenchError, match="is a reference, a teacher itself"):
        search(runs.records["a"], CAPTION, 3, runs.context.plugins, runs.context.cache)
