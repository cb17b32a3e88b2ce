"""COCO's test split with judgments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench_plugins.datasets import eccv_judgments
from kdbench_plugins.datasets.eccv_caption import EccvCaption, kdbench_datasets
from kdbench_plugins.datasets.eccv_judgments import FILES, SPLIT, judgment_files, read_judgments
from kdbench_plugins.datasets.eccv_miniature import IMAGES, write_eccv


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a miniature that is read as COCO is, its judgments taken for the published ones."""
    write_eccv(tmp_path / "coco")
    monkeypatch.setattr(eccv_judgments, "PUBLISHED", dict.fromkeys(FILES.values(), ""))
    return tmp_path / "coco"


def changed(root: Path, file: str, change: Any) -> None:
    content = json.loads((root / file).read_text())
    change(content)
    (root / file).write_text(json.dumps(content))


def test_ids_become_positions_in_the_split(root: Path) -> None:
    changed(root, FILES["eccv_i2t"], lambda it: it.update({"3": [16, 999]}))
    dataset = EccvCaption(root=root, judgments=root, size=32)
    split = dataset.split("test")
    assert (len(split.images), len(split.captions)) == (IMAGES, 5 * IMAGES)
    assert split.image_ids == tuple(map(str, range(IMAGES)))
    assert split.caption_ids[7] == "7"
    assert split.caption_concepts.tolist() == [place // 5 for place in range(5 * IMAGES)]
    entries = json.loads((root / "dataset_coco.json").read_text())["images"]
    assert split.captions[5:10] == tuple(sentence["raw"] for sentence in entries[1]["sentences"])
    assert [Path(source).name for source in split.sources] == [entry["filename"] for entry in entries]
    found = dataset.judgments["eccv_i2t"]
    assert found.queries.tolist() == [0, 3, 6, 9]
    assert [positives.tolist() for positives in found.positives[:2]] == [[0, 1, 2, 3, 4, 5], [16, -1]]
    assert len(dataset.split("train").images) == 0


def test_a_sixth_caption_is_no_candidate(root: Path) -> None:
    changed(root, "dataset_coco.json", lambda it: it["images"][2]["sentences"].append({"raw": "one more", "sentid": 500}))
    assert len(EccvCaption(root=root, judgments=root).split("test").captions) == 5 * IMAGES


def test_other_judgments_are_another_dataset(root: Path) -> None:
    before = EccvCaption(root=root, judgments=root).fingerprint
    changed(root, FILES["cxc_i2t"], lambda it: it.update({"3": [16]}))
    assert EccvCaption(root=root, judgments=root).fingerprint != before
    assert EccvCaption(root=root, judgments=root).files[:2] == [root / "dataset_coco.json", root / FILES[SPLIT]]


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (FILES["cxc_t2i"], lambda it: it.update({"999": [1]}), "found the id 999, which is none of"),
        ("dataset_coco.json", lambda it: it["images"].pop(3), r"no image of the cocoid 3 \(1 are missing\)"),
        ("dataset_coco.json", lambda it: it["images"][3]["sentences"].pop(), "found no caption of the sentid 19"),
        ("dataset_coco.json", lambda it: it.pop("images"), "is not Karpathy's file"),
    ],
)
def test_ids_that_do_not_fit_are_named(root: Path, file: str, change: Any, expected: str) -> None:
    changed(root, file, change)
    with pytest.raises(KdbenchError, match=expected):
        _ = EccvCaption(root=root, judgments=root).judgments


def test_other_than_the_published_judgments_are_refused(tmp_path: Path) -> None:
    write_eccv(tmp_path)
    with pytest.raises(KdbenchError, match=r"found other judgments than those of eccv_caption 0.1.0"):
        judgment_files(tmp_path)
    (tmp_path / FILES["eccv_t2i"]).unlink()
    with pytest.raises(KdbenchError, match=r"found no eccv_caption_to_image.json in"):
        judgment_files(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", '{"a": [1]}', '{"1": 2}', '{"1": []}', '{"1": [2, 2]}'])
def test_files_of_another_form_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "it.json").write_text(content)
    with pytest.raises(KdbenchError, match=r"it.json: (expected a JSON map|found a query, 1, with no positive)"):
        read_judgments(tmp_path / "it.json")


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [offer] = kdbench_datasets()
    monkeypatch.setitem(sys.modules, "eccv_caption", None)  # as if it were not installed
    with pytest.raises(KdbenchError, match=r"pip install eccv_caption"):
        check_deeper(offer, checked_params(offer, {"root": str(tmp_path)}))


def test_the_miniature_is_the_same_each_time(tmp_path: Path) -> None:
    for copy in ("one", "other"):
        write_eccv(tmp_path / copy)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files)
