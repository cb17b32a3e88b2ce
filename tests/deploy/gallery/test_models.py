"""Runs as models of a gallery: with what they put on top if weights are kept, otherwise with the figures of their records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench.deploy.gallery.models import look, teachers_of
from kdbench.records.reading import read_measured
from kdbench.storage.cache import Cache
from tests.support.gallery_runs import trained
from tests.support.toys import Beads, run_context


def test_students_and_teachers_have_what_they_put_on_top() -> None:
    runs = trained()
    listed = runs.runs
    chosen = {"student": listed["equal 0"], **teachers_of([listed["equal 0"]], list(listed.values()))}
    assert list(chosen) == ["student", "a (teacher)", "b (teacher)"]
    looked = look(chosen, None, runs.context.plugins, runs.context.cache)
    assert looked.notes == []
    assert all(model.top is not None for model in looked.models.values())
    np.testing.assert_array_equal(looked.models["a (teacher)"].values["image"], listed["a"].arrays()["image"])


def test_without_weights_there_are_texts_and_figures(tmp_path: Path) -> None:
    runs = trained()
    context = runs.copied(tmp_path, cache=False)
    reading = read_measured([context.results], context.plugins)
    run = next(run for run in reading.runs if run.record.run_id == runs.records["equal 0"].run_id)
    units = reading.units[str(run.record.dataset_digest)]
    looked = look({"A": run}, units, context.plugins, context.cache)
    assert looked.shown is not None
    assert looked.models["A"].top is None
    assert "holds no weights of these runs" in looked.notes[0]
    assert "train here: `kdbench run toys`" in looked.notes[0]
    assert not context.cache.root.exists(), "nothing is decoded, encoded or trained"


def test_without_the_dataset_there_are_figures(tmp_path: Path) -> None:
    runs = trained()
    run = runs.runs["equal 0"]
    plugins = run_context(tmp_path).plugins
    test = Beads().split("test")
    changed = {"images": np.arange(len(test.images)), "captions": np.arange(len(test.captions))}
    looked = look({"A": run}, changed, plugins, Cache(tmp_path / "none"))
    assert looked.shown is None
    assert looked.notes[0].startswith("texts and pictures are not shown: the dataset 'beads' has changed")
