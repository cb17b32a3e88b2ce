"""Zero-shot classification of emoji by the names of their groups, as a teacher, a student and open_clip do it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import kdbench
from kdbench import KdbenchError
from kdbench.plugins.loading import installed
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.tasks.zero_shot import ZeroShot
from kdbench.testing import Shapes, check_task, conform
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench.testing.tasks import PROPERTIES
from kdbench.training.evaluation import evaluated
from kdbench_plugins.datasets.class_folders import ClassFolders
from kdbench_plugins.openclip import import_open_clip
from tests.support.clip_folders import CONFIG, clip_folder

TEMPLATES = ["a photo of a {}.", "the {}", "{} drawn by an artist"]
SPEC = {"use": "class_folders", "miniature": True, "templates": TEMPLATES, "size": 48}


def test_zero_shot_conforms() -> None:
    check_task(lambda: ZeroShot(top=[1, 3]), Shapes, LinearStudent)
    findings = conform(installed().find("task", "zero_shot").offer, "task")
    assert [(finding.property, finding.outcome) for finding in findings[1:]] == [(name, "holds") for name in PROPERTIES]


def test_a_teacher_is_evaluated_as_open_clip_does(tmp_path: Path) -> None:
    """Ranks from open_clip's own classifier, preprocessing and tokenizer, on the picture files."""
    open_clip = import_open_clip()
    model = clip_folder(tmp_path / "clip", CONFIG)
    found = kdbench.evaluate(model, SPEC, cache=tmp_path / "cache", device="cpu")
    clip, preprocess = open_clip.create_model_from_pretrained(model)
    dataset = ClassFolders(miniature=True, templates=TEMPLATES)
    split = dataset.split("test")
    names = list(dict.fromkeys(Path(source).parent.name.replace("_", " ") for source in split.sources))
    vectors = open_clip.build_zero_shot_classifier(clip, open_clip.get_tokenizer(model), names, TEMPLATES)
    with torch.no_grad():
        pixels = torch.stack([preprocess(Image.open(source).convert("RGB")) for source in split.sources])
        scores = (clip.encode_image(pixels, normalize=True) @ vectors).numpy()
    own = scores[np.arange(len(scores)), split.image_concepts]
    assert np.abs(np.sort(scores, axis=1)[:, 1:] - np.sort(scores, axis=1)[:, :-1]).min() > 1e-7  # no ties
    assert found.arrays["rank"].tolist() == (scores >= own[:, None]).sum(axis=1).tolist()
    assert found.metrics["acc1"] == (found.arrays["rank"] == 1).mean()
    assert found.metrics["acc5"] == (found.arrays["rank"] <= 5).mean()
    assert 0.1 < found.metrics["acc5"] < 1


def test_classes_of_equal_names_are_answered_as_open_clip_does(tmp_path: Path) -> None:
    """Of ImageNet's names, two stand for two classes each; top-1 by an argmax over open_clip's own classifier."""
    open_clip = import_open_clip()
    model = clip_folder(tmp_path / "clip", CONFIG)
    names = ["a missile", "a cat", "a missile", "a cat", "a hat", "a dog", "a missile"]
    rng = np.random.default_rng(0)
    for position in range(len(names)):
        (tmp_path / "images" / f"{position}").mkdir(parents=True)
        for one in range(5):
            pixels = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{position}" / f"{one}.png")
    (tmp_path / "names.txt").write_text("\n".join(names))
    spec = {
        "use": "class_folders",
        "root": str(tmp_path / "images"),
        "names": str(tmp_path / "names.txt"),
        "templates": TEMPLATES,
    }
    found = kdbench.evaluate(model, spec, cache=tmp_path / "cache", device="cpu")
    clip, preprocess = open_clip.create_model_from_pretrained(model)
    vectors = open_clip.build_zero_shot_classifier(clip, open_clip.get_tokenizer(model), names, TEMPLATES)
    assert torch.equal(vectors[:, 0], vectors[:, 2])
    labels = torch.arange(len(names)).repeat_interleave(5)
    with torch.no_grad():
        files = [tmp_path / "images" / f"{label}" / f"{one}.png" for label in range(len(names)) for one in range(5)]
        images = clip.encode_image(torch.stack([preprocess(Image.open(file)) for file in files]), normalize=True)
    scores = images.double() @ vectors.double()
    assert found.metrics["acc1"] == (scores.argmax(dim=1) == labels).double().mean().item()
    order = scores.sort(dim=1, descending=True, stable=True).indices
    assert found.arrays["rank"].tolist() == ((order == labels[:, None]).nonzero()[:, 1] + 1).tolist()
    twins = found.arrays["rank"][labels.numpy() == 0]
    assert 1 in twins  # which with ties against the model is no image of these classes


@pytest.mark.parametrize("k", [8, 9])
def test_k_is_less_than_the_number_of_classes(k: int, tmp_path: Path) -> None:
    """Of which all images would be right."""
    with pytest.raises(
        KdbenchError, match=rf"evaluate.top\[1\]: found {k}; expected less than 8, the classes of class_folders"
    ):
        kdbench.evaluate(clip_folder(tmp_path / "clip", CONFIG), SPEC, settings={"top": [1, k]}, cache=tmp_path)


def test_a_suite_with_a_further_dataset_of_few_classes_is_refused(tmp_path: Path) -> None:
    for position in range(5):
        (tmp_path / "images" / f"{position}").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / f"{position}" / "one.png")
    path = tmp_path / "suite.yaml"
    also = f"{{use: class_folders, root: {tmp_path / 'images'}}}"
    path.write_text(f"name: t\ndatasets: [{{use: emoji}}]\nstudents: [{{use: openclip}}]\nevaluate: {{also: [{also}]}}\n")
    expected = r"evaluate.also\[0\].*top\[1\]: 5 by default.*less than 5, the classes of class_folders"
    with pytest.raises(KdbenchError, match=f"(?s){expected}"):
        load_suite(path, installed())


def test_a_student_is_evaluated_on_its_own_embeddings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, student = ZeroShot(), LinearStudent(size=48)
    data = task.open(ClassFolders(miniature=True, templates=TEMPLATES, size=48), Cache(tmp_path), "cpu", lambda *_: None)
    arrays = evaluated(task, student, task.encode(data, student, "test"), 7, "cpu")
    split = data.split("test")
    with torch.no_grad():
        prompts = student.module.encode_text(student.texts.encode(list(split.captions), "cpu"))
        images = student.module.encode_image(student.images.encode(np.array(split.images), "cpu"))
    vectors = torch.nn.functional.normalize(prompts.reshape(-1, len(TEMPLATES), prompts.shape[1]).mean(dim=1), dim=1)
    scores = (images @ vectors.T).numpy()
    own = scores[np.arange(len(scores)), split.image_concepts]
    assert arrays["rank"].tolist() == (scores >= own[:, None]).sum(axis=1).tolist()
    assert task.sizes(data) == {"images": len(split.images), "classes": 8}


def test_a_part_of_the_classes_gives_its_share_to_the_mean_per_class() -> None:
    arrays = {"rank": np.array([[1, 1, 1, 2]]), "class": np.array([[0, 0, 0, 1]])}
    values = ZeroShot().contributions(arrays, {"images": 4, "classes": 2}).values
    assert values["acc1"].tolist() == [[100.0, 100.0, 100.0, 0.0]]
    assert values["mean_per_class_recall"].mean() == pytest.approx(50.0)
    assert ZeroShot().measure({name: found[0] for name, found in arrays.items()})["mean_per_class_recall"] == pytest.approx(0.5)


def test_a_split_that_is_empty_is_not_evaluated(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"split: found 'validation'; expected test, the only split of class_folders"):
        kdbench.evaluate(clip_folder(tmp_path / "clip", CONFIG), SPEC, split="validation", cache=tmp_path)


def test_it_is_no_dataset_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("name: t\ndatasets:\n  - {use: class_folders, miniature: true}\nstudents: [{use: openclip}]\n")
    with pytest.raises(KdbenchError, match=r"class_folders has a test split alone: name it in `evaluate.also`"):
        load_suite(path, installed())


def test_units_are_refused() -> None:
    assert list(ZeroShot().unit_problems({}, {"images": 2, "classes": 2})) == []
    wrong = list(ZeroShot().unit_problems({"images": np.array([0, 0])}, {"images": 2, "classes": 2}))
    assert wrong == [("units", "images", "none: every image is its own")]
