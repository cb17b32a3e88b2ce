"""The miniature of COCO with judgments, as a teacher and a student are evaluated on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import kdbench
from kdbench import KdbenchError
from kdbench.plugins.loading import installed
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.tasks.judged import Judged
from kdbench.tasks.judged.judgments import SETS, measured, ranked
from kdbench.testing import check_task, conform
from kdbench.testing.judged import JudgedShapes
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench.testing.tasks import PROPERTIES
from kdbench.training.evaluation import evaluated
from kdbench_plugins.datasets.eccv_caption import EccvCaption
from kdbench_plugins.openclip import import_open_clip
from tests.support.clip_folders import CONFIG, clip_folder

SPEC = {"use": "eccv_caption", "miniature": True, "size": 48}


def test_judged_conforms() -> None:
    check_task(Judged, JudgedShapes, LinearStudent)
    findings = conform(installed().find("task", "judged").offer, "task")
    assert [(finding.property, finding.outcome) for finding in findings[1:]] == [(name, "holds") for name in PROPERTIES]


@pytest.mark.filterwarnings("ignore:2 of 60 captions")
def test_a_teacher_is_evaluated_on_all_candidates(tmp_path: Path) -> None:
    """With open_clip's own preprocessing and tokenizer, on the picture files."""
    open_clip = import_open_clip()
    model = clip_folder(tmp_path / "clip", CONFIG)
    found = kdbench.evaluate(model, SPEC, cache=tmp_path / "cache", device="cpu")
    clip, preprocess = open_clip.create_model_from_pretrained(model)
    dataset = EccvCaption(miniature=True)
    split = dataset.split("test")
    with torch.no_grad():
        pixels = torch.stack([preprocess(Image.open(source).convert("RGB")) for source in split.sources])
        images = clip.encode_image(pixels, normalize=True).numpy()
        captions = clip.encode_text(open_clip.get_tokenizer(model)(list(split.captions)), normalize=True).numpy()
    expected = measured(ranked(images, captions, dataset.judgments))
    assert found.metrics == pytest.approx(expected)
    assert 0 < found.metrics["eccv_map_at_r"] < 1


def test_a_student_is_evaluated_on_its_own_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, student, dataset = Judged(), LinearStudent(size=48), EccvCaption(miniature=True, size=48)
    data = task.open(dataset, Cache(tmp_path), "cpu", lambda *_: None)
    arrays = evaluated(task, student, task.encode(data, student, "test"), 7, "cpu")
    split = data.split("test")
    with torch.no_grad():
        captions = student.module.encode_text(student.texts.encode(list(split.captions), "cpu")).numpy()
        images = student.module.encode_image(student.images.encode(np.array(split.images), "cpu")).numpy()
    expected = ranked(images, captions, dataset.judgments)
    assert all(np.array_equal(arrays[name], expected[name]) for name in SETS)
    assert task.sizes(data) == {"images": 12, "captions": 60, "eccv_i2t": 4, "eccv_t2i": 15, "cxc_i2t": 12, "cxc_t2i": 59}
    units = task.units(data)
    assert units["eccv_i2t"].tolist() == [0, 3, 6, 9]
    assert units["eccv_t2i"].tolist() == [caption // 5 for caption in range(0, 60, 4)]


def test_without_units_it_is_said_that_queries_may_share_images() -> None:
    arrays: dict[str, Any] = {name: np.ones((1, 4, 2) if name.startswith("eccv") else (1, 4), int) for name in SETS}
    found = Judged().contributions(arrays, {})
    assert found.values["eccv_map_at_r"].shape == (1, 16)
    assert "may be too narrow" in found.note
    with pytest.raises(KdbenchError, match="another number of queries"):
        Judged().contributions(arrays, dict.fromkeys(SETS, 4), {name: np.zeros(3, int) for name in SETS})


def test_it_is_no_dataset_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("name: t\ndatasets:\n  - {use: eccv_caption, miniature: true}\nstudents: [{use: openclip}]\n")
    with pytest.raises(KdbenchError, match=r"eccv_caption has judgments of a test split alone: name it in `evaluate.also`"):
        load_suite(path, installed())
