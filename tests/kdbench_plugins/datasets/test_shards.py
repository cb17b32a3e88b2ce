"""Shards against a slow reader; in `make faults` with 10,000 inputs each. What is left aside or chosen is named."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError, UnusableItems
from kdbench_plugins.datasets.flickr30k import Flickr30k
from kdbench_plugins.datasets.shard_pairs import Aside
from kdbench_plugins.datasets.shards import read_shard, shards_in
from kdbench_plugins.datasets.webdataset import WebDataset
from tests.support import shard_properties as properties
from tests.support.fuzzing import some
from tests.support.picture_inputs import Damage, damages
from tests.support.shard_inputs import FILE, Entry, entries, picture, write_shard

DAMAGE = damages(("lost", "zeroed", "changed", "cut"), 1, 2000)


@given(entries())
@some
def test_pairs_against_a_slow_reader(tmp_path: Path, found: list[Entry]) -> None:
    properties.shard_agrees(tmp_path / "train/0.tar", found)


@given(entries())
@some
def test_every_pair_can_be_left_out(tmp_path: Path, found: list[Entry]) -> None:
    properties.everything_can_be_left_out(tmp_path / "train/0.tar", found)


@given(entries(), DAMAGE)
@some
def test_damaged_shards(tmp_path: Path, found: list[Entry], damage: Damage) -> None:
    properties.nothing_is_lost_without_a_word(tmp_path / "train/0.tar", found, damage)


@given(entries(), entries().filter(bool))
@some
def test_two_archives_in_one_file(tmp_path: Path, first: list[Entry], second: list[Entry]) -> None:
    properties.two_in_one_are_refused(tmp_path / "train/0.tar", first, second)


@given(st.binary(max_size=2000))
@some
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train/0.tar"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    properties.any_bytes_are_refused(path)


def pair(key: str, text: bytes = b"a caption", seed: int = 0) -> list[Entry]:
    return [Entry(f"{key}.jpg", FILE, picture(seed)), Entry(f"{key}.txt", FILE, text)]


def three(root: Path, **more: list[Entry]) -> Path:
    """Three splits of two pairs, and more members for some. Keys begin anew in each split."""
    for number, split in enumerate(("train", "val", "test")):
        write_shard(
            root / split / "0.tar", [*pair("0", seed=2 * number), *pair("1", seed=2 * number + 1), *more.get(split, [])]
        )
    return root


def forms(root: Path, **params: Any) -> list[Any]:
    """The same shards as the dataset `webdataset` and as a form of another one."""
    return [WebDataset(root=root, size=16, **params), Flickr30k(root=root, form="webdataset", size=16, **params)]


def test_keys_may_begin_anew_in_each_split(tmp_path: Path) -> None:
    for dataset in forms(three(tmp_path)):
        concepts = [set(dataset.split(name).image_concepts.tolist()) for name in ("train", "validation", "test")]
        assert [len(found) for found in concepts] == [2, 2, 2]
        assert len(set.union(*concepts)) == 6
        assert len({dataset.split("train").images[0].tobytes(), dataset.split("test").images[0].tobytes()}) == 2


def test_the_same_picture_under_one_key_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    root = three(tmp_path)
    write_shard(root / "test/0.tar", [*pair("0", seed=0), *pair("9", seed=5)])
    with pytest.raises(KdbenchError, match=r"1 image in two splits, which would leak: image '0': .*test/0.tar.*train/0.tar"):
        Flickr30k(root=root, form="webdataset", size=16).split("train")


def test_a_pair_is_left_out_of_its_split_only(tmp_path: Path) -> None:
    """A list names a pair of one split by the key that pairs of other splits have as well."""
    listed = tmp_path / "list.txt"
    for name in ("train/0.tar: 1.jpg", "train/0.tar: 1.txt", f"{tmp_path}/root/train/0.tar: 1.txt"):
        listed.write_text(f"{name}\n")
        for dataset in forms(three(tmp_path / "root"), quarantine=listed):
            assert [len(dataset.split(split).images) for split in ("train", "validation", "test")] == [1, 2, 2]


def test_all_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    wrong = [*pair("2", b""), *pair("3", b"\xff"), *pair("4", b"a\n\nb"), pair("5")[0], pair("6")[1]]
    expected = {"2.jpg": "caption 1 is empty", "3.jpg": "is not UTF-8", "4.jpg": "caption 2 is empty"}
    expected |= {"5.jpg": "5 has no caption file KEY.txt", "6.txt": "6 has no image KEY.jpg"}
    for dataset in forms(three(tmp_path, train=wrong)):
        with pytest.raises(UnusableItems, match="found 5 items that cannot be used: ") as caught:
            dataset.split("train")
        told = {source.partition(": ")[2]: error for source, error in caught.value.items.items()}
        assert told.keys() == expected.keys()
        assert all(expected[name] in told[name] for name in told)


def test_notes_name_what_is_not_read_and_what_is_chosen(tmp_path: Path) -> None:
    more = [
        *pair("2", b"one\ntwo"),
        Entry("0.json", FILE, b"{}"),
        Entry("1.json", FILE, b"{}"),
        Entry("0.original.png", FILE, picture(1)),
        *pair("1.large", seed=4),
        Entry("._0.jpg", FILE, b"macOS"),
    ]
    root, shard = three(tmp_path, train=more), tmp_path / "train/0.tar"
    (root / "train/0_stats.json").write_text("{}")
    write_shard(root / "valid/0.tar", pair("7", seed=3))
    write_shard(root / "extra/0.tar", pair("8"))
    for dataset in forms(root):
        notes = "\n".join(dataset.notes)
        for told in (
            f"2 members KEY.json that are not read, such as {shard}: 0.json",
            f"1 members KEY.original.png that are not read, such as {shard}: 0.original.png",
            f"1 hidden members that are not read, such as {shard}: ._0.jpg",
            f"1 pairs whose names continue another pair's name, read as pairs of their own, such as {shard}: 1.large.jpg",
            f"1 texts of several lines, each read as a caption, such as {shard}: 2.txt",
            "train: 1 files or folders that are no shards, such as 0_stats.json, are not read",
            "the split validation is read from the folders val and valid",
            f"{root}: 1 shards or folders of shards without a split's name, such as extra",
        ):
            assert told in notes
        assert len(dataset.split("validation").images) == 3


def test_several_captions_for_each_picture_are_no_choice(tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "val", "test")):
        several = [*pair(f"{seed}", b"one\ntwo", seed), *pair(f"{seed + 3}", b"one\ntwo\nthree", seed + 3)]
        write_shard(tmp_path / split / "0.tar", several)
    assert [dataset.notes for dataset in forms(tmp_path)] == [(), ()]


def test_a_caption_with_line_breaks_is_one_where_its_json_file_says_so(tmp_path: Path) -> None:
    note = Entry("2.json", FILE, b'{"caption": "a dog\\nruns", "width": 3}')
    dataset = WebDataset(root=three(tmp_path, train=[*pair("2", b"a dog\nruns"), note]), size=16)
    assert list(dataset.split("train").captions) == ["a caption", "a caption", "a dog\nruns"]
    assert not any("several lines" in line for line in dataset.notes)


@pytest.mark.parametrize("name", ["0.tar.gz", "1.tgz", "2.tar.zst"])
def test_compressed_shards_are_not_left_aside(tmp_path: Path, name: str) -> None:
    (three(tmp_path) / "train" / name).write_bytes(b"")
    with pytest.raises(KdbenchError, match=rf"train/{name}: is a compressed shard, one of 1; expected plain tar files"):
        shards_in(tmp_path / "train")


def test_shards_beyond_their_number_are_refused(tmp_path: Path) -> None:
    write_shard(three(tmp_path) / "train/1.tar", pair("9"))
    (tmp_path / "train/nshards.txt").write_text("1\n")
    with pytest.raises(KdbenchError, match=r"train/1.tar: found 2 shards, .*nshards.txt lists 1; mend the number"):
        shards_in(tmp_path / "train")
    (tmp_path / "train/nshards.txt").write_text("two\n")
    with pytest.raises(KdbenchError, match="found 'two', expected the number of shards"):
        shards_in(tmp_path / "train")


def test_suffixes_in_capitals_are_shards(tmp_path: Path) -> None:
    write_shard(tmp_path / "train/0.TAR", pair("0"))
    write_shard(tmp_path / "train/._0.tar", [])
    assert shards_in(tmp_path / "train") == [tmp_path / "train/0.TAR"]


def test_a_file_filled_up_with_zeros_is_no_whole_shard(tmp_path: Path) -> None:
    """As a download that reserves its space leaves it."""
    path = tmp_path / "train/0.tar"
    data = write_shard(path, [*pair("0"), *pair("1", seed=1)])
    path.write_bytes(data[: data.index(b"1.jpg")] + bytes(3 * 2**20))
    with pytest.raises(KdbenchError, match=r"is truncated: 3,\d+,\d+ bytes of zeros follow 0.txt"):
        read_shard(path)


def test_a_shard_that_lost_its_last_member(tmp_path: Path) -> None:
    """Only zeros are left where it was, as at the end of every tar file; the length shows it."""
    path = tmp_path / "train/0.tar"
    data = write_shard(path, [*pair("0"), Entry("1.jpg", tarfile.LNKTYPE, target="0.jpg")])
    path.write_bytes(data[: data.index(b"1.jpg")] + data[data.index(b"1.jpg") + 600 :])
    with pytest.raises(KdbenchError, match=r"0.tar: found 9,640 bytes, expected a multiple of 512"):
        read_shard(path)


def test_members_with_holes_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "train/0.tar"
    write_shard(path, [])
    member = tarfile.TarInfo("0.jpg")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member)
        text = tarfile.TarInfo("0.txt")
        text.size = 3
        archive.addfile(text, io.BytesIO(b"dog"))
    [item] = read_shard(path, Aside())
    assert item.error.endswith("0.jpg: is stored with holes; pack the shard without --sparse")
