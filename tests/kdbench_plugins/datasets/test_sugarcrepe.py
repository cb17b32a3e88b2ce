"""SugarCrepe's files beside COCO's images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.tasks.compositional.metrics import KINDS
from kdbench_plugins.datasets.sugarcrepe import SugarCrepe, kdbench_datasets
from kdbench_plugins.datasets.sugarcrepe_files import read_pairs
from kdbench_plugins.datasets.sugarcrepe_miniature import EACH, IMAGES, write_sugarcrepe
from tests.support.karpathy_forms import picture

ITEM = {"filename": "b.jpg", "caption": "a cat on a mat ", "negative_caption": "a mat on a cat"}


def written(root: Path, **more: Any) -> Path:
    """Two images, and an item of each kind; `more` are items of further ones, by kind."""
    (root / "val2017").mkdir(parents=True)
    for place, name in enumerate(("a.jpg", "b.jpg")):
        Image.fromarray(picture(place)).save(root / "val2017" / name)
    for kind in KINDS:
        (root / f"{kind}.json").write_text(json.dumps({"3": ITEM} | more.get(kind, {})))
    return root


def test_captions_are_pairs_of_an_image_that_is_there_once(tmp_path: Path) -> None:
    other = {"filename": "a.jpg", "caption": "one", "negative_caption": "two"}
    root = written(tmp_path, add_obj={"10": other, "2": other | {"caption": "three"}})
    split = SugarCrepe(root=root, size=32).split("test")
    assert split.image_ids == ("a.jpg", "b.jpg")
    assert [Path(source).relative_to(root).as_posix() for source in split.sources] == ["val2017/a.jpg", "val2017/b.jpg"]
    assert split.captions[:8] == (
        "a cat on a mat",
        "a mat on a cat",
        "a cat on a mat",
        "a mat on a cat",
        "one",
        "two",
        "three",
        "two",
    )
    assert split.caption_ids[2:8] == (
        "add_obj/3#0",
        "add_obj/3#1",
        "add_obj/10#0",
        "add_obj/10#1",
        "add_obj/2#0",
        "add_obj/2#1",
    )
    assert split.caption_concepts[:8].tolist() == [1, -1, 1, -1, 0, -1, 0, -1]
    assert split.image_concepts.tolist() == [0, 1]
    assert np.asarray(split.images[1]).shape == (32, 32, 3)
    assert len(SugarCrepe(root=root, size=32).split("train").images) == 0


def test_files_and_images_lie_apart_or_together(tmp_path: Path) -> None:
    together = written(tmp_path / "one").rename(tmp_path / "together")
    apart = written(tmp_path / "apart")
    (apart / "val2017").rename(tmp_path / "val2017")
    (apart / "data").mkdir()
    for kind in KINDS:
        (apart / f"{kind}.json").rename(apart / "data" / f"{kind}.json")
    for images in (tmp_path, tmp_path / "val2017"):
        split = SugarCrepe(root=apart, images=images).split("test")
        assert [Path(source).parent for source in split.sources] == [tmp_path / "val2017"] * 1
        assert split.captions == SugarCrepe(root=together).split("test").captions


def test_other_items_and_images_are_another_dataset(tmp_path: Path) -> None:
    root = written(tmp_path)
    before = SugarCrepe(root=root).fingerprint
    assert SugarCrepe(root=root).fingerprint == before
    assert SugarCrepe(root=root, size=32).fingerprint != before
    (root / "swap_obj.json").write_text(json.dumps({"0": ITEM}))
    renamed = SugarCrepe(root=root).fingerprint
    assert renamed != before
    Image.fromarray(picture(5)).resize((50, 50)).save(root / "val2017" / "b.jpg")
    assert SugarCrepe(root=root).fingerprint != renamed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"0": {"filename": "b.jpg"', "is not a file of SugarCrepe .*truncated"),
        ("[]", "is not a file of SugarCrepe; expected a JSON object"),
        ('{"0": 3}', "item 0: found 3; expected filename, caption and negative_caption"),
        ('{"0": {"filename": "b.jpg", "caption": "a"}}', "item 0: found no negative_caption"),
        (json.dumps({"0": ITEM | {"filename": 7}}), "item 0: filename: found 7; expected the name of an image"),
        (json.dumps({"0": ITEM | {"filename": "nan"}}), "filename: found 'nan', which stands for a missing value"),
        (json.dumps({"0": ITEM | {"caption": ["a"]}}), r"item 0: caption: found \['a'\]; expected a string"),
        (json.dumps({"0": ITEM | {"negative_caption": " "}}), "item 0: negative_caption: caption 1 is empty"),
    ],
)
def test_wrong_items_are_named(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "swap_att.json"
    path.write_text(content)
    with pytest.raises(KdbenchError, match=expected):
        read_pairs(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    [offer] = kdbench_datasets()
    with pytest.raises(KdbenchError, match=r"no folder is given; set `root:`"):
        SugarCrepe()
    with pytest.raises(KdbenchError, match=r"images: .*nowhere is not a folder"):
        check_deeper(offer, checked_params(offer, {"root": str(tmp_path), "images": str(tmp_path / "nowhere")}))
    with pytest.raises(KdbenchError, match=r"found no add_att.json, .*expected the 7 files"):
        SugarCrepe(root=tmp_path)
    root = written(tmp_path / "root")
    for name in ("a.jpg", "b.jpg"):
        (root / "val2017" / name).unlink()
    with pytest.raises(KdbenchError, match=r"found none of its images, such as val2017/b.jpg"):
        check_deeper(offer, checked_params(offer, {"root": str(root)}))


def test_a_record_notes_the_seven_files_and_the_images(tmp_path: Path) -> None:
    root = written(tmp_path)
    assert SugarCrepe(root=root).files == [*(root / f"{kind}.json" for kind in KINDS), root / "val2017" / "b.jpg"]


def test_the_miniature_is_the_same_each_time(tmp_path: Path) -> None:
    for copy in ("one", "other"):
        write_sugarcrepe(tmp_path / copy)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files)
    split = SugarCrepe(root=tmp_path / "one").split("test")
    assert (len(split.images), len(split.captions)) == (IMAGES, 2 * EACH * len(KINDS))
    assert all(right != wrong for right, wrong in zip(split.captions[::2], split.captions[1::2], strict=True))
