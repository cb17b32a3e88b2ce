"""Pairs in shards of one's own: what is found in them, streamed and copied alike, and what is said where something is wrong."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tests.support.karpathy_forms as forms
from kdbench import KdbenchError
from kdbench.cli import app
from kdbench.data.dataset import SPLITS
from kdbench.data.prepare import check, prepare
from kdbench.plugins.parameters import check_deeper, construct
from kdbench.storage.cache import Cache
from kdbench.testing import check_dataset
from kdbench_plugins.datasets.damage import refuse_damage
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.webdataset import WebDataset, kdbench_datasets
from kdbench_plugins.students.readers import Resized

SIZE = 32


class Squares(Resized):
    """Reads the dataset's square images."""

    originals = False

    def __init__(self, size: int) -> None:
        super().__init__(size, size, "bicubic")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve pairs to train on in four shards, as img2dataset leaves them: with a JSON file for each."""
    source = forms.write_json(tmp_path / "json", "flickr30k")
    root = forms.write_shards(tmp_path / "shards", "flickr30k", source)
    with tarfile.open(root / "train/0.tar", "a") as archive:
        forms.add(archive, "1000000000.json", json.dumps({"url": "somewhere"}).encode())
    return root


def dataset(root: Path, **params: Any) -> WebDataset:
    return WebDataset(root=root, size=SIZE, **params)


def order(root: Path) -> list[str]:
    """The names of the images to train on, shard by shard, as tar tells them."""
    found = []
    for shard in (root / f"train/{number}.tar" for number in range(4)):
        with tarfile.open(shard) as archive:
            found += [f"{shard}: {name}" for name in archive.getnames() if name.endswith(".jpg")]
    return found


def test_pairs_are_those_of_the_other_forms(root: Path) -> None:
    """In the order of the shards, where Flickr30k is in that of names."""
    found, other = dataset(root), Flickr30k(root=root, size=SIZE)
    for name in SPLITS:
        ours, theirs = found.split(name), other.split(name)
        place = {source: number for number, source in enumerate(theirs.sources)}
        told: dict[int, list[str]] = {}
        for caption, concept in zip(theirs.captions, theirs.caption_concepts.tolist(), strict=True):
            told.setdefault(concept, []).append(caption)
        captions = []
        for number, source in enumerate(ours.sources):
            np.testing.assert_array_equal(ours.images[number], theirs.images[place[source]])
            captions += told[int(theirs.image_concepts[place[source]])]
        assert list(ours.captions) == captions
        assert list(ours.captions[1:4]) == captions[1:4]
        counts = [len(told[int(theirs.image_concepts[place[source]])]) for source in ours.sources]
        np.testing.assert_array_equal(ours.caption_concepts, np.repeat(ours.image_concepts, counts))
    assert list(found.split("train").sources) == order(root)
    assert len(found.split("train").images) == 12


def test_ids_are_those_of_the_other_forms(root: Path) -> None:
    for name in SPLITS:
        ours, theirs = dataset(root).split(name), Flickr30k(root=root, size=SIZE).split(name)
        assert sorted(ours.image_ids) == sorted(theirs.image_ids)
        named = dict(zip(theirs.caption_ids, theirs.captions, strict=True))
        assert dict(zip(ours.caption_ids, ours.captions, strict=True)) == named
        assert len(named) == len(theirs.captions)
        pictures = dict(zip(theirs.image_ids, theirs.images, strict=True))
        for one, picture in zip(ours.image_ids, ours.images, strict=True):
            np.testing.assert_array_equal(picture, pictures[one])


def test_it_keeps_the_contract(root: Path) -> None:
    check_dataset(lambda: dataset(root))
    check_dataset(lambda: WebDataset(miniature=True, size=48, stream=False))


def test_streamed_and_copied_are_one_dataset(root: Path, tmp_path: Path) -> None:
    streamed = prepare(dataset(root), Cache(tmp_path / "cache"))
    copied = prepare(dataset(root, stream=False), Cache(tmp_path / "cache"))
    assert streamed.digest == copied.digest == check(dataset(root), jobs=2).digest
    assert not list(streamed.decoded.folder.glob("train.images.npy"))
    smaller = Resized(24, 24, "bicubic")
    wanted = np.array([11, 0, 5, 5])
    found: Any = streamed.inputs(smaller, "train")
    np.testing.assert_array_equal(found.rows(wanted), copied.encode(smaller, "train")[wanted])


def test_the_cache_outlives_a_move(root: Path, tmp_path: Path) -> None:
    """Places are kept from the root on."""
    cache = Cache(tmp_path / "cache")
    before = prepare(dataset(root), cache)
    pixels = np.asarray(before.split("train").images[:])
    moved = root.rename(tmp_path / "moved")
    after = prepare(dataset(moved), cache)
    assert after.decoded.made == before.decoded.made
    np.testing.assert_array_equal(after.split("train").images[:], pixels)


def spoil(member: str) -> None:
    """Zeroes the middle of a member of a shard."""
    shard, _, name = member.partition(": ")
    with tarfile.open(shard) as archive:
        found = archive.getmember(name)
    with Path(shard).open("r+b") as stream:
        stream.seek(found.offset_data + 20)
        stream.write(bytes(found.size - 20))


def test_damaged_images_are_named_and_may_be_left_out(root: Path, tmp_path: Path) -> None:
    bad = order(root)[4]
    spoil(bad)
    report = check(dataset(root), jobs=2)
    assert [(problem.split, problem.index, problem.source) for problem in report.problems] == [("train", 4, bad)]
    with pytest.raises(KdbenchError, match="cannot be decoded") as error:
        prepare(dataset(root), Cache(tmp_path / "cache"))
    assert str(error.value).startswith(bad)
    for line in (bad, bad.removeprefix(f"{root}/")):
        (tmp_path / "bad.txt").write_text(f"# of no use\n{line}\n")
        kept = dataset(root, quarantine=tmp_path / "bad.txt")
        assert list(kept.split("train").sources) == [source for source in order(root) if source != bad]
        assert check(kept).problems == []
        assert kept.fingerprint != dataset(root).fingerprint
        assert len(kept.split("train").captions) == len(dataset(root).split("train").captions) - len(
            [caption for caption, concept in zip(*told(root), strict=True) if concept == 4]
        )


def told(root: Path) -> tuple[list[str], list[int]]:
    split = dataset(root).split("train")
    return list(split.captions), split.caption_concepts.tolist()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "train/0.tar: nothing.jpg",
            r"bad.txt: no image of webdataset is '.*train/0.tar: nothing.jpg'; did you mean '.*train/0.tar: \d+.jpg'",
        ),
        ("train/9.tar: 1.jpg", r"bad.txt: 'train/9.tar' is not a shard of the dataset; did you mean '.*train/\d.tar'"),
    ],
)
def test_what_is_to_be_left_out_must_be_there(root: Path, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "bad.txt").write_text(f"{line}\n")
    with pytest.raises(KdbenchError, match=message):
        dataset(root, quarantine=tmp_path / "bad.txt").split("train")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "train/2.tar").unlink(), r"2.tar: is missing; .*nshards.txt lists 4 shards"),
        (lambda root: [path.unlink() for path in (root / "val").iterdir()], "found none of the split validation"),
        (
            lambda root: (root / "train/1.tar").write_bytes((root / "train/1.tar").read_bytes()[:3000]),
            r"1.tar: .*download the shard",
        ),
    ],
)
def test_what_is_not_whole_is_an_error(root: Path, damage: Any, message: str) -> None:
    damage(root)
    with pytest.raises(KdbenchError, match=message):
        dataset(root).split("train")


def test_without_a_folder_it_says_what_to_do(tmp_path: Path) -> None:
    (offer,) = kdbench_datasets()
    with pytest.raises(KdbenchError, match="set `root:` to one that holds train, val and test"):
        check_deeper(offer, {})
    with pytest.raises(KdbenchError, match=r"root: .*nowhere is not a folder"):
        check_deeper(offer, {"root": str(tmp_path / "nowhere")})
    assert construct(offer, {"miniature": True}).size == 224


def test_a_changed_shard_is_another_dataset(root: Path) -> None:
    before = dataset(root).fingerprint
    assert dataset(root, stream=False).fingerprint == before
    with (root / "val/0.tar").open("ab") as stream:
        stream.write(bytes(512))
    assert dataset(root).fingerprint != before


@pytest.mark.parametrize("encoder", [Resized(24, 24, "bicubic"), Squares(24)])
def test_streaming_looks_for_damage_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: Any) -> None:
    """Not again in every epoch, whether a student reads squares or originals."""
    looked: list[str] = []

    def noting(data: bytes, kind: str) -> None:
        looked.append(kind)
        refuse_damage(data, kind)

    monkeypatch.setattr("kdbench_plugins.datasets.pictures.refuse_damage", noting)
    streamed = prepare(dataset(root), Cache(tmp_path / "cache"))
    assert len(looked) == sum(len(streamed.split(name).images) for name in SPLITS)
    inputs: Any = streamed.inputs(encoder, "train")
    for _ in range(3):
        assert inputs.rows(np.arange(12)).shape == (12, 24, 24, 3)
    assert len(looked) == sum(len(streamed.split(name).images) for name in SPLITS)


def test_data_check_adds_to_the_quarantine(root: Path, tmp_path: Path) -> None:
    bad = order(root)[7]
    spoil(bad)
    command = ["data", "check", "webdataset", "--root", str(root), "--quarantine", str(tmp_path / "bad.txt"), "size=32"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1, result.output
    assert (tmp_path / "bad.txt").read_text() == f"{bad}\n"


def test_a_split_of_which_all_is_left_out(root: Path, tmp_path: Path) -> None:
    sources = list(dataset(root).split("validation").sources)
    (tmp_path / "bad.txt").write_text("\n".join(sources))
    with pytest.raises(KdbenchError, match="no pairs of the split validation"):
        dataset(root, quarantine=tmp_path / "bad.txt").split("validation")


def test_data_check_lists_pairs_without_captions_beside_damaged_images(root: Path, tmp_path: Path) -> None:
    """All in one call, and with the list the rest is read."""
    bad = order(root)[7]
    spoil(bad)
    with tarfile.open(root / "val/0.tar", "a") as archive:
        forms.add(archive, "empty.jpg", b"not read")
        forms.add(archive, "empty.txt", b"")
    with tarfile.open(root / "test/0.tar", "a") as archive:
        forms.add(archive, "alone.jpg", b"not read")
    listed = tmp_path / "bad.txt"
    command = ["data", "check", "webdataset", "--root", str(root), "size=32"]
    result = CliRunner().invoke(app, [*command, "--quarantine", str(listed)])
    assert result.exit_code == 1, result.output
    assert set(listed.read_text().splitlines()) == {bad, f"{root}/val/0.tar: empty.jpg", f"{root}/test/0.tar: alone.jpg"}
    result = CliRunner().invoke(app, [*command, f"quarantine={listed}"])
    assert result.exit_code == 0, result.output
    assert "digest" in result.output
