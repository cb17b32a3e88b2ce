"""Folders of images as classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench_plugins.datasets.class_folders import ClassFolders, kdbench_datasets
from tests.support.karpathy_forms import picture


def written(root: Path, *files: str) -> Path:
    for place, file in enumerate(files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(place)).save(root / file)
    return root


def test_classes_are_folders_in_order(tmp_path: Path) -> None:
    root = written(tmp_path / "r", "b_c/2.jpg", "b_c/1.PNG", "a/deep/x.jpeg", "a/0.jpg")
    (root / "a" / "readme.txt").write_text("no image")
    (root / "a" / "._0.jpg").write_bytes(b"of another system")
    split = ClassFolders(root=root, templates=["a {}.", "{}"], size=32).split("test")
    assert [Path(source).relative_to(root).as_posix() for source in split.sources] == [
        "a/0.jpg",
        "a/deep/x.jpeg",
        "b_c/1.PNG",
        "b_c/2.jpg",
    ]
    assert split.image_concepts.tolist() == [0, 0, 1, 1]
    assert split.captions == ("a a.", "a", "a b c.", "b c")
    assert split.caption_concepts.tolist() == [0, 0, 1, 1]
    assert np.asarray(split.images[0]).shape == (32, 32, 3)
    assert len(split.originals) == 4


def test_folders_with_numbers_are_in_the_order_of_these(tmp_path: Path) -> None:
    root = written(tmp_path, "10/a.png", "9/a.png", "0/a.png")
    (tmp_path / "names.txt").write_text("zero\nnine\nten\n")
    split = ClassFolders(root=root, names=tmp_path / "names.txt", templates=["{}"]).split("test")
    assert split.captions == ("zero", "nine", "ten")
    assert [Path(source).parent.name for source in split.sources] == ["0", "9", "10"]


def test_other_prompts_names_and_images_are_another_dataset(tmp_path: Path) -> None:
    root = written(tmp_path / "r", "a/0.png", "b/0.png")
    (tmp_path / "names.json").write_text(json.dumps({"a": "ape", "b": "bee"}))
    before = ClassFolders(root=root).fingerprint
    assert ClassFolders(root=root).fingerprint == before
    assert ClassFolders(root=root, templates=["{}"]).fingerprint != before
    assert ClassFolders(root=root, names=tmp_path / "names.json").fingerprint != before
    written(root, "b/1.png")
    assert ClassFolders(root=root).fingerprint != before


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"no folder is given; set `root:`"):
        ClassFolders()
    with pytest.raises(KdbenchError, match=r"root: .*nowhere is not a folder"):
        ClassFolders(root=tmp_path / "nowhere")
    with pytest.raises(KdbenchError, match=r"found no folder in .*, expected one for each class"):
        ClassFolders(root=tmp_path)
    written(tmp_path, "a/0.png")
    (tmp_path / "b").mkdir()
    with pytest.raises(KdbenchError, match=r"found no image in .*b, expected at least one"):
        ClassFolders(root=tmp_path)


def test_its_check_reads_the_folders(tmp_path: Path) -> None:
    [offer] = kdbench_datasets()
    written(tmp_path, "a/0.png", "b/0.png")
    check_deeper(offer, checked_params(offer, {"root": str(tmp_path), "templates": "simple"}))
    for wrong, expected in (({"names": "imagenet"}, "expected 1,000"), ({"templates": ["none"]}, "expected a text with")):
        with pytest.raises(KdbenchError, match=expected):
            check_deeper(offer, checked_params(offer, {"root": str(tmp_path), **wrong}))


def test_a_record_notes_the_images_and_the_file_of_names(tmp_path: Path) -> None:
    root = written(tmp_path / "r", "a/0.png")
    (tmp_path / "names.txt").write_text("ape")
    found = ClassFolders(root=root, names=tmp_path / "names.txt").files
    assert found == [tmp_path / "names.txt", root / "a" / "0.png"]
