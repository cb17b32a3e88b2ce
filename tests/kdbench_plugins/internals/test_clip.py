"""Teachers that are models of open_clip expose what they compute, others are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from kdbench import build
from kdbench.plugins.internals import exposing_teacher, taps_of
from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import Shapes, teacher_data
from kdbench.testing.retrieval.examined_teacher import encoded, items_of
from kdbench_plugins.objectives.feature_alignment import FeatureAlignment
from kdbench_plugins.teachers.openclip import OpenClip, smoke

CONFIG: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
STUDENT = {"use": "openclip", "config": CONFIG}
EVERY = {"maps", "image_attention", "text_hidden", "text_words", "text_attention"}


def agrees(teacher: Any, folder: Path) -> None:
    """What a teacher exposes is known before it is prepared, and computed by the model that gives its embeddings."""
    exposing = exposing_teacher(teacher)
    assert exposing is not None
    assert set(exposing.exposes) == EVERY
    assert Retrieval().refuses(teacher, FeatureAlignment(attention="both")) == ""
    towers = teacher.towers(teacher_data(folder, Shapes()))
    model = exposing.exposed(towers)
    assert set(taps_of(model)) == EVERY
    module: Any = model.module
    with torch.no_grad():
        found = module.eval().encode_image(encoded(model.images, items_of("image")))
    torch.testing.assert_close(found, encoded(towers.image, items_of("image")), rtol=0, atol=1e-4)


def test_a_trained_teacher_exposes_what_its_student_does(tmp_path: Path) -> None:
    agrees(build("teacher", {"use": "trained", "student": STUDENT, "epochs": 1, "batch_size": 8}), tmp_path)


def test_a_teacher_of_open_clip_exposes_its_model(tmp_path: Path) -> None:
    agrees(OpenClip(**smoke({"model": "ViT-B-32", "pretrained": "openai"})), tmp_path)


def test_others_expose_nothing() -> None:
    broken = build("teacher", {"use": "trained", "student": {"use": "openclip", "model": "RN50"}})
    broken.student = {"use": "no such student"}
    exposing = exposing_teacher(broken)
    assert exposing is not None
    assert not exposing.exposes  # left to the student's own check
    assert exposing_teacher(object()) is None
    assert taps_of(object()) == {}


def test_lacking_internals_are_named() -> None:
    assert (
        Retrieval().refuses(cast(Any, object()), FeatureAlignment(hidden="text"))
        == "internals (text_hidden, text_attention, text_words)"
    )
