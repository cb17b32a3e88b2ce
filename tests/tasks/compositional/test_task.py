"""SugarCrepe's miniature as a teacher, a student and the published evaluation answer it."""

from __future__ import annotations

import json
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
from kdbench.tasks.compositional import Compositional
from kdbench.tasks.compositional.metrics import KINDS
from kdbench.testing import check_task, conform
from kdbench.testing.compositional import Swapped
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench.testing.tasks import PROPERTIES
from kdbench.training.evaluation import evaluated
from kdbench_plugins.datasets.sugarcrepe import SugarCrepe
from kdbench_plugins.datasets.sugarcrepe_miniature import sugarcrepe_miniature
from kdbench_plugins.openclip import import_open_clip
from tests.support.clip_folders import CONFIG, clip_folder

SPEC = {"use": "sugarcrepe", "miniature": True, "size": 48}


def items(kind: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((sugarcrepe_miniature() / f"{kind}.json").read_text())
    return found


def test_compositional_conforms() -> None:
    check_task(Compositional, Swapped, LinearStudent)
    findings = conform(installed().find("task", "compositional").offer, "task")
    assert [(finding.property, finding.outcome) for finding in findings[1:]] == [(name, "holds") for name in PROPERTIES]


def test_a_teacher_is_evaluated_as_the_published_code_does(tmp_path: Path) -> None:
    """One item after another, with open_clip's preprocessing and tokenizer, as main_eval.py of SugarCrepe."""
    open_clip = import_open_clip()
    model = clip_folder(tmp_path / "clip", CONFIG)
    found = kdbench.evaluate(model, SPEC, cache=tmp_path / "cache", device="cpu")
    clip, preprocess = open_clip.create_model_from_pretrained(model)
    tokenizer = open_clip.get_tokenizer(model)
    every: list[bool] = []
    for kind in KINDS:
        answers = []
        for item in items(kind).values():
            image = preprocess(Image.open(sugarcrepe_miniature() / "val2017" / item["filename"])).unsqueeze(0)
            with torch.no_grad():
                texts = clip.encode_text(tokenizer([item["caption"], item["negative_caption"]]), normalize=True)
                right, wrong = (texts @ clip.encode_image(image, normalize=True).T).flatten().tolist()
            assert abs(right - wrong) > 1e-6  # no ties
            answers.append(right > wrong)
        assert found.metrics[kind] == sum(answers) / len(answers)
        every += answers
    assert found.arrays["correct"].tolist() == every
    assert found.metrics["acc"] == pytest.approx(sum(every) / len(every))
    assert found.metrics["mean_per_kind"] == pytest.approx(np.mean([found.metrics[kind] for kind in KINDS]))
    assert 0.2 < found.metrics["acc"] < 0.8


def test_a_student_is_evaluated_on_its_own_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, student = Compositional(), LinearStudent(size=48)
    data = task.open(SugarCrepe(miniature=True, size=48), Cache(tmp_path), "cpu", lambda *_: None)
    arrays = evaluated(task, student, task.encode(data, student, "test"), 7, "cpu")
    split = data.split("test")
    with torch.no_grad():
        captions = student.module.encode_text(student.texts.encode(list(split.captions), "cpu"))
        images = student.module.encode_image(student.images.encode(np.array(split.images), "cpu"))
    names = list(split.image_ids)
    listed = [item for kind in KINDS for item in items(kind).values()]
    for place, item in enumerate(listed):
        scores = captions[2 * place : 2 * place + 2] @ images[names.index(item["filename"])]
        assert arrays["correct"][place] == int(scores[0] > scores[1])
    assert task.sizes(data) == {"images": 12, "items": len(listed)}
    assert np.array_equal(task.units(data)["items"], [names.index(item["filename"]) for item in listed])


def arrays_of(*kinds: list[int]) -> dict[str, Any]:
    return {"correct": np.ones((len(kinds), len(kinds[0])), np.int8), "kind": np.array(kinds)}


def test_without_units_it_is_said_that_items_may_share_images() -> None:
    found = Compositional().contributions(arrays_of([*range(7)]), {"images": 3, "items": 7})
    assert found.values["acc"].shape == (1, 7)
    assert "may be too narrow" in found.note
    units = {"items": np.array([5, 5, 1, 1, 1, 9, 9])}
    assert Compositional().contributions(arrays_of([*range(7)]), {"images": 3, "items": 7}, units).values["acc"].shape == (1, 3)


def test_seeds_of_two_splits_are_refused() -> None:
    two = arrays_of([*range(7)], [*range(7)][::-1])
    with pytest.raises(KdbenchError, match="different kinds"):
        Compositional().contributions(two, {"images": 3, "items": 7})
    with pytest.raises(KdbenchError, match=r"units of 2 items given, the records have 7"):
        Compositional().contributions(arrays_of([*range(7)]), {"images": 3, "items": 7}, {"items": np.array([0, 1])})


def test_it_is_no_dataset_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("name: t\ndatasets:\n  - {use: sugarcrepe, miniature: true}\nstudents: [{use: openclip}]\n")
    with pytest.raises(KdbenchError, match=r"sugarcrepe has a test split alone: name it in `evaluate.also`"):
        load_suite(path, installed())
