"""Flickr30k and COCO: the same dataset from every form, and what is said where something is wrong with one."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

import tests.support.karpathy_forms as forms
from kdbench import KdbenchError, SplitName
from kdbench.data.dataset import SPLITS, CachedDataset
from kdbench.data.prepare import check
from kdbench.plugins.parameters import check_deeper, construct
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval.one_way import ranks
from kdbench.testing import check_dataset
from kdbench_plugins.datasets.coco import Coco
from kdbench_plugins.datasets.coco import kdbench_datasets as coco_offers
from kdbench_plugins.datasets.flickr8k import Flickr8k
from kdbench_plugins.datasets.flickr30k import Flickr30k, kdbench_datasets
from kdbench_plugins.datasets.items import LONGEST
from kdbench_plugins.datasets.karpathy_dataset import KarpathyDataset
from kdbench_plugins.datasets.miniature import Name
from kdbench_plugins.datasets.ondisk import OnDisk
from tests.support.patience import calls

SIZE = 32
BUILD: dict[Name, type[KarpathyDataset]] = {"flickr8k": Flickr8k, "flickr30k": Flickr30k, "coco": Coco}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return forms.write_json(tmp_path / "json", "flickr30k")


def flickr(root: Path, **params: Any) -> Flickr30k:
    return Flickr30k(root=root, size=SIZE, **params)


def every_form(folder: Path, name: Name) -> dict[str, OnDisk]:
    source = forms.write_json(folder / "json", name)
    roots = {form: write(folder / form, name, source) for form, write in forms.WRITE.items()}
    return {form: BUILD[name](root=place, size=SIZE) for form, place in {"json": source, **roots}.items()}


def ranked(dataset: CachedDataset) -> list[bytes]:
    """Ranks both ways under an encoder that hangs on every pixel and every letter."""
    split = dataset.split("test")
    pixels = np.asarray(split.images).reshape(len(split.images), -1) / 255 - 0.5
    images = pixels @ np.random.default_rng(0).normal(size=(pixels.shape[1], 16))
    seeds = [int.from_bytes(hashlib.sha256(caption.encode()).digest()[:8], "big") for caption in split.captions]
    texts = np.stack([np.random.default_rng(seed).normal(size=16) for seed in seeds])
    image, text = split.image_concepts, split.caption_concepts
    return [ranks(images, texts, image, text).tobytes(), ranks(texts, images, text, image).tobytes()]


@pytest.mark.parametrize("name", BUILD)
def test_every_form_is_the_same_dataset(tmp_path: Path, name: Name) -> None:
    found = every_form(tmp_path, name)
    cached = {form: CachedDataset(dataset, Cache(tmp_path / "caches" / form)) for form, dataset in found.items()}
    digests = {form: dataset.digest for form, dataset in cached.items()}
    assert len(digests) == 5
    assert len(set(digests.values())) == 1, digests
    assert len({tuple(ranked(dataset)) for dataset in cached.values()}) == 1
    assert {check(dataset, jobs=2).digest for dataset in found.values()} == {cached["json"].digest}
    assert len({dataset.fingerprint for dataset in found.values()}) == 5


@pytest.mark.parametrize("name", BUILD)
def test_contents(tmp_path: Path, name: Name) -> None:
    """Against what was written, prepared by torchvision."""
    root = forms.write_json(tmp_path / "json", name)
    dataset = BUILD[name](root=root, size=SIZE)
    transform = [Resize(SIZE, InterpolationMode.BICUBIC), CenterCrop(SIZE)]
    concepts: list[int] = []
    for split_name in SPLITS:
        split = dataset.split(split_name)
        images = sorted(forms.entries(root), key=lambda image: image["filename"])
        images = [image for image in images if forms.NAMES[image["split"]] == split_name]
        assert list(split.sources) == [str(image["path"]) for image in images]
        expected = [Image.open(image["path"]) for image in images]
        for step in transform:
            expected = [step(image) for image in expected]
        np.testing.assert_array_equal(np.stack(list(split.images)), np.stack([np.asarray(image) for image in expected]))
        assert list(split.captions) == [sentence["raw"].strip() for image in images for sentence in image["sentences"]]
        repeats = [len(image["sentences"]) for image in images]
        np.testing.assert_array_equal(split.caption_concepts, np.repeat(split.image_concepts, repeats))
        concepts += split.image_concepts.tolist()
    assert sorted(concepts) == list(range(sum(forms.COUNTS.values())))


@pytest.mark.parametrize("form", ["json", *forms.WRITE])
def test_the_kit_agrees(tmp_path: Path, form: str) -> None:
    root = forms.write_json(tmp_path / "json", "flickr30k")
    root = root if form == "json" else forms.WRITE[form](tmp_path / form, "flickr30k", root)
    check_dataset(lambda: flickr(root))


def test_a_form_is_named_or_found(root: Path) -> None:
    forms.write_shards(root, "flickr30k", root)
    assert ".tar" not in flickr(root).split("test").sources[0]
    assert ".tar: " in flickr(root, form="webdataset").split("test").sources[0]
    with pytest.raises(KdbenchError, match=r"holds .*; expected Parquet files with the columns image and caption"):
        flickr(root, form="parquet")


@pytest.mark.parametrize("folder", ["", "images", "flickr30k_images", "Flicker8k_Dataset"])
def test_where_images_may_lie(root: Path, folder: str) -> None:
    expected = [path.name for path in map(Path, flickr(root).split("test").sources)]
    if folder:
        (root / "flickr30k-images").rename(root / folder)
    else:
        for path in (root / "flickr30k-images").iterdir():
            path.rename(root / path.name)
    assert [path.name for path in map(Path, flickr(root).split("test").sources)] == expected
    assert flickr(root).split("test").images[0].shape == (SIZE, SIZE, 3)


def test_the_variable_gives_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_FLICKR30K", str(root))
    [offer] = kdbench_datasets()
    check_deeper(offer, {})
    assert construct(offer, {"size": SIZE}).fingerprint == flickr(root).fingerprint


# What is not there.


@pytest.mark.parametrize(
    ("offers", "variable", "whose"),
    [
        (
            kdbench_datasets,
            "KDBENCH_FLICKR30K",
            "request form of the University of Illinois.*Young et al. 2014.*non-commercial",
        ),
        (coco_offers, "KDBENCH_COCO", "cocodataset.org.*CC BY 4.0"),
    ],
)
def test_no_root(offers: Any, variable: str, whose: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [offer] = offers()
    monkeypatch.delenv(variable, raising=False)
    ways = rf"{whose}.*dataset_{offer.name}.json from Karpathy.*set {variable} to it, or `root:`.*`miniature: true`"
    with pytest.raises(KdbenchError, match=rf"{offer.name}: no folder is given.*{ways}"):
        check_deeper(offer, {})
    with pytest.raises(KdbenchError, match=rf"root: .*missing is not a folder.*{ways}"):
        construct(offer, {"root": str(tmp_path / "missing")})
    monkeypatch.setenv(variable, str(tmp_path / "gone"))
    with pytest.raises(KdbenchError, match=rf"{variable}=.*gone is not a folder"):
        construct(offer, {})
    (tmp_path / "holidays.zip").touch()
    with pytest.raises(KdbenchError, match=rf"holds holidays.zip; expected dataset_{offer.name}.json beside.*{ways}"):
        construct(offer, {"root": str(tmp_path)})


def test_errors_come_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom kdbench import KdbenchError\nfrom kdbench_plugins.datasets.flickr30k import Flickr30k\n"
        "try:\n    Flickr30k()\nexcept KdbenchError as error:\n    print(error)\n"
        "assert not {'torch', 'numpy', 'pyarrow', 'PIL'} & set(sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KDBENCH_FLICKR30K"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True, capture_output=True, check=True
    )
    assert "no folder is given" in done.stdout


# What is wrong with the images.


def test_an_image_cut_short_is_told_with_its_path(root: Path) -> None:
    path = Path(flickr(root).split("test").sources[2])
    path.write_bytes(path.read_bytes()[:-200])
    split = flickr(root).split("test")
    with pytest.raises(KdbenchError, match=rf"{path}: cannot be decoded \(.*truncated"):
        split.images[2]
    with pytest.raises(KdbenchError, match=str(path)):
        list(split.images)
    path.unlink()
    with pytest.raises(KdbenchError, match=rf"{path}: cannot be read \(No such file"):
        flickr(root).split("test").images[2]


def test_no_images_at_all(root: Path) -> None:
    (root / "flickr30k-images").rename(root / "elsewhere")
    with pytest.raises(KdbenchError, match=rf"found none of its images, such as \d+.jpg; looked in {root}"):
        flickr(root)


def edit(root: Path, change: Any) -> None:
    path = root / "dataset_flickr30k.json"
    content = json.loads(path.read_text())
    change(content["images"])
    path.write_text(json.dumps(content))


def caption(text: Any) -> Any:
    def change(images: Any) -> None:
        images[4]["sentences"][2]["raw"] = text

    return change


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" \n", "caption 3 is empty"),
        ("a man " * 2000, rf"caption 3 has 11,999 characters \('a man .*expected at most {LONGEST:,}"),
        (None, "caption 3: found None, expected a string"),
    ],
)
def test_captions(root: Path, text: Any, told: str) -> None:
    edit(root, caption(text))
    with pytest.raises(KdbenchError, match=rf"dataset_flickr30k.json: 1000031676.jpg: {told}"):
        flickr(root)
    edit(root, caption("a" * LONGEST))
    assert "a" * LONGEST in flickr(root).split("train").captions


def test_the_same_file_in_two_splits(root: Path) -> None:
    edit(root, lambda images: images.append(images[0] | {"split": "test", "imgid": 999}))
    with pytest.raises(
        KdbenchError, match=r"1 image in two splits, which would leak: image '1000000000': t\w+ \(.*\) and t\w+ \("
    ):
        flickr(root).split("train")


def test_the_same_image_id_in_two_splits(root: Path) -> None:
    edit(root, lambda images: images[-1].update(imgid=images[0]["imgid"]))
    with pytest.raises(KdbenchError, match=r"which would leak: image id '0': train .*1000000000.jpg\) and test"):
        flickr(root).split("train")


def test_the_same_image_twice_in_a_split(root: Path) -> None:
    edit(root, lambda images: images.append(images[0]))
    with pytest.raises(KdbenchError, match="1 image twice: image '1000000000'"):
        flickr(root).split("train")


@pytest.mark.parametrize("form", ["csv", "webdataset", "parquet"])
def test_a_leak_in_other_forms(tmp_path: Path, root: Path, form: str) -> None:
    def leak(images: Any) -> None:
        images.append(images[0] | {"split": "test"})

    edit(root, leak)
    place = forms.WRITE[form](tmp_path / form, "flickr30k", root)
    with pytest.raises(KdbenchError, match=r"'1000000000'.*in two splits, which would leak|in two splits.*'1000000000'"):
        flickr(place).split("train")


@pytest.mark.parametrize("form", ["json", *forms.WRITE])
def test_a_missing_split(tmp_path: Path, root: Path, form: str) -> None:
    def drop(images: Any) -> None:
        images[:] = [image for image in images if image["split"] != "val"]

    edit(root, drop)
    place = root if form == "json" else forms.WRITE[form](tmp_path / form, "flickr30k", root)
    with pytest.raises(KdbenchError, match="no images of the split validation; found train 12, test 5"):
        flickr(place).split("test")


def test_an_unknown_split(root: Path) -> None:
    edit(root, lambda images: images[3].update(split="tset"))
    with pytest.raises(KdbenchError, match=r"1000023757.jpg: found the split 'tset'; did you mean 'test'"):
        flickr(root)


def test_a_json_cut_short(root: Path) -> None:
    path = root / "dataset_flickr30k.json"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(KdbenchError, match=r"dataset_flickr30k.json: is not Karpathy's file .*is it truncated"):
        flickr(root)


def test_a_csv_that_is_not_json_inside(tmp_path: Path, root: Path) -> None:
    place = forms.write_csv(tmp_path / "csv", "flickr30k", root)
    path = place / "flickr30k_annotations_30k.csv"
    rows = list(csv.reader(path.open(newline="")))
    rows[3][0] = "['a man']"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    with pytest.raises(KdbenchError, match=r"row 3: raw is .*expected a JSON list"):
        flickr(place)


# Shards.


@pytest.fixture
def shards(tmp_path: Path, root: Path) -> Path:
    return forms.write_shards(tmp_path / "shards", "flickr30k", root)


def test_a_shard_cut_anywhere(shards: Path) -> None:
    """Wherever it is cut, the shard is named; within an image, so is that."""
    shard = shards / "train" / "1.tar"
    whole = shard.read_bytes()
    members = {blob.member: blob for blob in blobs(flickr(shards)) if blob.path == shard}
    end = max(blob.offset + -(-blob.size // 512) * 512 for blob in members.values()) + 1024
    for length in [0, 100, 512, 700, 1024, *range(2048, end, 611), end // 512 * 512 - 1024]:
        shard.write_bytes(whole[:length])
        with pytest.raises(KdbenchError, match=rf"{shard}: (is truncated|is not a complete tar)") as caught:
            flickr(shards).split("train")
        within = [name for name, blob in members.items() if blob.offset <= length < blob.offset + blob.size]
        assert all(name in str(caught.value) for name in within)
    shard.write_bytes(whole)
    assert len(flickr(shards).split("train").images) == 12


def blobs(dataset: OnDisk) -> list[Any]:
    images: Any = dataset.split("train").images
    return list(images.blobs)


def test_a_shard_cut_after_it_was_listed(shards: Path) -> None:
    split = flickr(shards).split("train")
    images: Any = split.images
    blob = images.blobs[0]
    blob.path.write_bytes(blob.path.read_bytes()[: blob.offset + 10])
    with pytest.raises(KdbenchError, match=rf"{blob.path}: {blob.member}: found 10 bytes, expected {blob.size}"):
        images[0]


def test_a_missing_shard(shards: Path) -> None:
    (shards / "train" / "2.tar").unlink()
    with pytest.raises(KdbenchError, match=r"train/2.tar: is missing; .*nshards.txt lists 4 shards, found 3"):
        flickr(shards).split("train")


def test_a_caption_without_an_image(shards: Path) -> None:
    with tarfile.open(shards / "test" / "0.tar", "a") as archive:
        forms.add(archive, "lonely.txt", b"nobody is here")
    with pytest.raises(KdbenchError, match=r"test/0.tar: lonely has no image KEY.jpg"):
        flickr(shards).split("train")


# Parquet.


def test_a_parquet_file_cut_short(tmp_path: Path, root: Path) -> None:
    place = forms.write_parquet(tmp_path / "parquet", "flickr30k", root)
    path = next(place.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(KdbenchError, match=rf"{path}: is not a complete Parquet file"):
        flickr(place).split("train")


def test_parquet_with_other_columns(tmp_path: Path, root: Path) -> None:
    place = forms.write_parquet(tmp_path / "parquet", "flickr30k", root)
    path = sorted(place.rglob("*.parquet"))[0]
    table = pq.read_table(path)
    pq.write_table(table.rename_columns(["image", "captoin", *table.column_names[2:]]), path)
    with pytest.raises(KdbenchError, match=r"no column of captions \(caption, .*did you mean 'captoin'"):
        flickr(place).split("train")
    pq.write_table(table.rename_columns(["imgae", *table.column_names[1:]]), path)
    with pytest.raises(KdbenchError, match="no column 'image'; did you mean 'imgae'"):
        flickr(place).split("train")


def test_parquet_without_the_bytes_of_an_image(tmp_path: Path, root: Path) -> None:
    place = forms.write_parquet(tmp_path / "parquet", "flickr30k", root)
    path = sorted(place.rglob("*.parquet"))[0]
    rows = pq.read_table(path).to_pylist()
    rows[5]["image"]["bytes"] = None
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    problems = check(flickr(place)).problems
    assert [problem.source for problem in problems] == [f"{path}: row 5"]
    assert "image.bytes is empty" in problems[0].error


# Fingerprints and quarantine.


def test_the_fingerprint_follows_sources_and_parameters(root: Path, tmp_path: Path) -> None:
    before = flickr(root).fingerprint
    assert flickr(root).fingerprint == before
    assert Flickr30k(root=root, size=SIZE + 1).fingerprint != before
    path = Path(flickr(root).split("test").sources[0])
    stamp = path.stat()
    changed = []
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    changed.append(flickr(root).fingerprint)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert flickr(root).fingerprint == before
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    changed.append(flickr(root).fingerprint)
    path.write_bytes(path.read_bytes()[:-1])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    edit(root, caption("Another caption"))
    changed.append(flickr(root).fingerprint)
    quarantine = tmp_path / "quarantine.txt"
    quarantine.write_text(f"{path}\n")
    changed.append(flickr(root, quarantine=quarantine).fingerprint)
    assert len({before, *changed}) == 5


def test_the_fingerprint_moves_with_the_dataset(root: Path) -> None:
    before = flickr(root).fingerprint
    assert flickr(root.rename(root.with_name("moved"))).fingerprint == before


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_the_fingerprint_follows_archives(tmp_path: Path, root: Path, form: str) -> None:
    place = forms.WRITE[form](tmp_path / form, "flickr30k", root)
    before = flickr(place).fingerprint
    path = next(path for path in place.rglob("*") if path.suffix in (".tar", ".parquet"))
    quarantine = tmp_path / "quarantine.txt"
    quarantine.write_text(f"{flickr(place).split('test').sources[0]}\n")
    without = flickr(place, quarantine=quarantine)
    assert len(without.split("test").images) == 4
    os.utime(path, ns=(0, 0))
    assert len({before, without.fingerprint, flickr(place).fingerprint}) == 3


def test_a_fingerprint_is_quick_and_decodes_nothing(tmp_path: Path) -> None:
    """The same work for each of many images, none of which is one."""

    def work(count: int) -> int:
        root = tmp_path / str(count)
        (root / "images").mkdir(parents=True)
        images = []
        for place in range(count):
            name = f"{place}.jpg"
            (root / "images" / name).touch()
            split = "test" if place < 10 else "val" if place < 20 else "train"
            images.append({"filename": name, "imgid": place, "split": split, "sentences": [{"raw": "a"}] * 5})
        (root / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
        return calls(lambda: flickr(root))

    assert work(2000) < 11 * work(200)


def test_quarantine(root: Path, tmp_path: Path) -> None:
    whole = flickr(root)
    sources = [whole.split("train").sources[3], whole.split("test").sources[0]]
    quarantine = tmp_path / "quarantine.txt"
    quarantine.write_text(f"# damaged\n{sources[0]}\n\n{Path(sources[1]).relative_to(root)}\n")
    left: list[tuple[SplitName, str, Any]] = []
    for name in SPLITS:
        split = flickr(root, quarantine=quarantine).split(name)
        left += zip([name] * len(split.images), split.sources, split.images, strict=True)
        assert len(split.captions) == len(split.caption_concepts)
        assert set(split.caption_concepts.tolist()) == set(split.image_concepts.tolist())
    expected = [(name, source) for name in SPLITS for source in whole.split(name).sources if source not in sources]
    assert [(name, source) for name, source, _ in left] == expected
    quarantine.write_text(f"{sources[0][:-5]}6.jpg\n")
    with pytest.raises(KdbenchError, match=r"quarantine.txt: no image of flickr30k is '.*6.jpg'; did you mean"):
        flickr(root, quarantine=quarantine)
    with pytest.raises(KdbenchError, match=r"there is no file .*none.txt; make it with kdbench data check"):
        flickr(root, quarantine=tmp_path / "none.txt")


def test_published_counts_are_reported_only(root: Path) -> None:
    differences = check(flickr(root), jobs=1).differences
    assert "train: found 12 images, expected 29,000 as published" in differences
    assert "test: found 26 captions, expected 5,000 as published" in differences
    assert len(differences) == 6
