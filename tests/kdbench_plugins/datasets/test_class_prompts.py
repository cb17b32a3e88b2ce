"""Names of classes and their prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench_plugins.datasets.class_prompts import class_names, prompt_makers
from kdbench_plugins.openclip import import_open_clip

FOLDERS = ["n01", "n02", "n10"]


def test_folders_name_their_classes() -> None:
    assert class_names(["great_white_shark", "tench"], "folders", "here") == ["great white shark", "tench"]


def test_imagenet_has_open_clips_names() -> None:
    folders = [f"n{place:08}" for place in range(1000)]
    assert class_names(folders, "imagenet", "here") == list(import_open_clip().IMAGENET_CLASSNAMES)
    with pytest.raises(KdbenchError, match=r"here: names: imagenet: found 3 folders, expected 1,000"):
        class_names(FOLDERS, "imagenet", "here")


def test_a_map_names_more_than_the_folders_there_are(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"n02": "two", "n01": "one", "n10": "ten", "n11": "eleven"}))
    assert class_names(FOLDERS, path, "here") == ["one", "two", "ten"]


def test_a_list_names_the_folders_in_order(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("one\ntwo \n\nten\n")
    assert class_names(FOLDERS, path, "here") == ["one", "two", "ten"]


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("a.txt", "one\ntwo\n", "found 2 lines, expected 3, one for each folder"),
        ("a.json", '{"n01": "one", "n02": "two"}', "no name for the folder 'n10'"),
        ("a.json", '["one"]', "found list; expected a map of folders to class names"),
        ("a.json", '{"n01": ""}', "none of them empty"),
        ("a.json", "{", "no JSON"),
    ],
)
def test_names_that_do_not_fit(tmp_path: Path, file: str, content: str, expected: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(KdbenchError, match=expected):
        class_names(FOLDERS, tmp_path / file, "here")


def test_a_missing_file_of_names(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"here: names: .*no.txt cannot be read .*expected `imagenet`, or a file of names"):
        class_names(FOLDERS, tmp_path / "no.txt", "here")


@pytest.mark.parametrize(("templates", "count"), [("openai", 80), ("simple", 7)])
def test_open_clips_templates(templates: Any, count: int) -> None:
    open_clip = import_open_clip()
    theirs = open_clip.OPENAI_IMAGENET_TEMPLATES if templates == "openai" else open_clip.SIMPLE_IMAGENET_TEMPLATES
    ours = [make("tench") for make in prompt_makers(templates, "here")]
    assert len(ours) == count
    assert ours == [template("tench") for template in theirs]


def test_templates_of_ones_own() -> None:
    assert [make("{odd} name") for make in prompt_makers(["a {}.", "{}"], "here")] == ["a {odd} name.", "{odd} name"]
    for wrong in ("a photo", "{} and {}"):
        with pytest.raises(KdbenchError, match=r"templates: found .*, expected a text with \{\} for the class name, once"):
            prompt_makers([wrong], "here")
