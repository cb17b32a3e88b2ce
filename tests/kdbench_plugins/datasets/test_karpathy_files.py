"""Karpathy's JSON and its CSV copy: whole names, ids that may be missing, captions or the reason that they are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import tests.support.karpathy_forms as forms
from kdbench import KdbenchError
from kdbench.data.prepare import check
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.karpathy_files import csv_index, json_index
from tests.support.fuzzing import some
from tests.support.karpathy_properties import FIRST, csv_agrees, documents, json_agrees, make_files, read


@given(documents)
@some
def test_json_as_the_slow_reader(tmp_path: Path, document: list[dict[str, Any]]) -> None:
    json_agrees(document, make_files(tmp_path))


@given(documents)
@some
def test_csv_as_the_slow_reader(tmp_path: Path, document: list[dict[str, Any]]) -> None:
    csv_agrees(document, make_files(tmp_path))


def written(root: Path, images: list[dict[str, Any]], name: str = "dataset_flickr30k.json") -> Path:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps({"images": images}), encoding="utf-8-sig")
    return make_files(root)


def test_names_with_dots_and_missing_ids(tmp_path: Path) -> None:
    """photo.1.jpg, photo.2.jpg and photo.1.png are three images; null is no id that could repeat."""
    names = ["photo.1.jpg", "photo.2.jpg", "photo.1.png"]
    more = [{"filename": name, "split": "test", "imgid": None, "sentences": [{"raw": name}]} for name in names]
    found = read(written(tmp_path, [*FIRST, *more]), json_index)
    assert found is not None
    assert {name: captions for name, (_, captions) in found.items() if name in names} == {name: [name] for name in names}


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"filename": None}, "image 4: filename: found None; expected the name of a file"),
        ({"filename": "a\ud83d.jpg"}, "filename: found 'a.ud83d.jpg', with half of a surrogate pair"),
        ({"filename": "a\0.jpg"}, "filename: found 'a.x00.jpg', with a null character"),
        ({"filename": "nan"}, "filename: found 'nan', which stands for a missing value"),
        ({"filepath": "None"}, "1.jpg: filepath: found 'None', which stands for a missing value; expected the name of a file"),
        ({"filepath": 7}, "1.jpg: filepath: found 7; expected"),
        ({"imgid": [1]}, r"1.jpg: image id: found '\[1\]'; expected an integer or a string"),
        ({"sentences": [{"raw": "['a']"}]}, "1.jpg: caption 1: found .*, a list as text"),
        ({"sentences": [{"tokens": []}]}, "1.jpg: caption 1: found None, expected a string"),
        ({"sentences": "a"}, "1.jpg: found captions of type dict"),
    ],
)
def test_refused_with_the_image(tmp_path: Path, image: dict[str, Any], told: str) -> None:
    last = {"filename": "1.jpg", "split": "test", "sentences": [{"raw": "a"}]} | image
    with pytest.raises(KdbenchError, match=rf"dataset_flickr30k.json: {told}|{told}") as caught:
        Flickr30k(root=written(tmp_path, [*FIRST, last]), size=32).split("test")
    str(caught.value).encode()


@pytest.mark.parametrize(
    "content", ["[]", '{"images": 3}', '{"images": [3]}', '{"images": [{"filename": "1.jpg"}]}', "[" * 9**5]
)
def test_other_files(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_flickr30k.json").write_text(content)
    with pytest.raises(KdbenchError, match=r"dataset_flickr30k.json: .*expected images with filename, split and sentences"):
        Flickr30k(root=tmp_path)


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    (tmp_path / "dataset_flickr30k.json").write_text('{"images": [{"filename": "1.jpg", "split": "train", "split": "test"}]}')
    with pytest.raises(KdbenchError, match=r"found the key 'split' twice in one object, with the values 'train' and 'test'"):
        Flickr30k(root=tmp_path)


def test_two_files_of_annotations(tmp_path: Path) -> None:
    """Equal ones are one; of two that differ, none is chosen."""
    written(tmp_path, FIRST)
    written(tmp_path, FIRST, "other/dataset_flickr30k.json")
    assert json_index(tmp_path, "flickr30k") is not None
    written(tmp_path, FIRST[::-1], "other/dataset_flickr30k.json")
    with pytest.raises(KdbenchError, match=r"_flickr30k.json and .*other/dataset_flickr30k.json, which differ; expected one"):
        json_index(tmp_path, "flickr30k")
    for name, raw in (("a.csv", "x"), ("b.csv", "y")):
        (tmp_path / name).write_text(f'raw,split,filename\n"[""{raw}""]",train,1.jpg\n')
    with pytest.raises(KdbenchError, match=r"a.csv and .*b.csv, which differ"):
        csv_index(tmp_path, "flickr30k")


def test_a_note_names_the_forms_that_are_not_read(tmp_path: Path) -> None:
    (written(tmp_path, FIRST) / "a.csv").write_text('raw,split,filename\n"[""x""]",train,1.jpg\n')
    [note] = Flickr30k(root=tmp_path, size=32).notes
    assert note == f"{tmp_path} holds the forms json, csv; json is read, `form:` names another"
    assert Flickr30k(root=tmp_path, size=32, form="json").notes == ()


def test_no_list_of_captions(tmp_path: Path) -> None:
    for raw in ("a dog", '"a dog"', "['a dog']", '{"raw": "a"}'):
        cell = raw.replace('"', '""')
        (make_files(tmp_path) / "a.csv").write_text(f'raw,split,filename\n"{cell}",train,1.jpg\n')
        with pytest.raises(KdbenchError, match=r"a.csv: row 1: raw is .*, expected a JSON list of captions"):
            Flickr30k(root=tmp_path)


def test_names_with_dots_are_the_same_in_every_form(tmp_path: Path) -> None:
    """photo.3.jpg is `photo.3` in shards, a name in Parquet and CSV."""
    source = forms.write_json(tmp_path / "json", "flickr30k")
    described = json.loads((source / "dataset_flickr30k.json").read_text())
    for number, image in enumerate(described["images"]):
        name = f"photo.{number % 7}.{number}.jpg"
        (source / "flickr30k-images" / image["filename"]).rename(source / "flickr30k-images" / name)
        image["filename"] = name
    (source / "dataset_flickr30k.json").write_text(json.dumps(described))
    roots = [source, *(write(tmp_path / form, "flickr30k", source) for form, write in forms.WRITE.items())]
    digests = [check(Flickr30k(root=root, size=16), jobs=1).digest for root in roots]
    assert len(digests) == 5
    assert set(digests) == {digests[0]} != {None}
