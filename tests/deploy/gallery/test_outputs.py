"""Outputs of models are computed once, and are those of the weights that were evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdbench import KdbenchError
from kdbench.deploy.export.load import trained_student
from kdbench.deploy.gallery.opened import opened
from kdbench.deploy.gallery.outputs import KIND, identity, outputs_of
from kdbench.runs.execute import execute
from kdbench.tasks.retrieval.embeddings import encode_split, student_embeddings
from tests.support.gallery_runs import trained
from tests.support.toys import run_context, run_spec


def test_outputs_are_embeddings_and_kept(tmp_path: Path) -> None:
    runs = trained()
    context = runs.copied(tmp_path)
    record = runs.records["random 1"]
    shown = opened(record, context.plugins, context.cache)
    entries = [entry for entry in context.cache.entries() if not isinstance(entry, Exception)]
    context.cache.remove([entry for entry in entries if entry.kind == KIND])
    assert not context.cache.holds(KIND, identity(record))
    outputs = outputs_of(record, shown, context.plugins, context.cache)
    data = context.open(context.task(record.spec.task), record.spec.dataset, "x")
    student = trained_student(record, context.plugins, context.cache)
    images, captions = student_embeddings(student, encode_split(data, student, "test"), 256, "cpu")
    np.testing.assert_array_equal(outputs["images"], images)
    np.testing.assert_array_equal(outputs["captions"], captions)
    (entry,) = (entry for entry in context.cache.entries() if not isinstance(entry, Exception) and entry.kind == KIND)
    again = outputs_of(record, shown, context.plugins, run_context(tmp_path).cache)
    np.testing.assert_array_equal(again["images"], images)
    assert entry.identity == identity(record)


def test_weights_that_are_not_kept_are_told_of(tmp_path: Path) -> None:
    context = run_context(tmp_path / "one")
    record = execute(run_spec([]), context)
    elsewhere = run_context(tmp_path / "other")
    shown = opened(record, elsewhere.plugins, elsewhere.cache)
    with pytest.raises(KdbenchError, match=f"the weights of run {record.run_id} .* are missing"):
        outputs_of(record, shown, elsewhere.plugins, elsewhere.cache)
