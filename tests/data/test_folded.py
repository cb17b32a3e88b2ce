"""Folds of a dataset: other splits of the same items, decoded and encoded once for all folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from kdbench import Encoder, KdbenchError, Modality, Split, SplitName
from kdbench.contracts import FeedSettings
from kdbench.data.dataset import CachedDataset
from kdbench.data.folded import FoldedDataset, FoldedSource
from kdbench.storage.cache import Cache
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.feed import PairFeed
from tests.support.toys import SEEN, SPLITS, Beads, Pixels, Projection, Tokens, cached, toy

FOLDS = 4
KNOWN: tuple[SplitName, ...] = ("train", "validation")
VIEWS = Views(count=3, crop=[0.5, 0.9], flip=0.5, drop_words=0.4)


class Labelled(Beads):
    """Beads with ids, sources and groups: concepts that begin with the same two beads are variants of one thing."""

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        images = [f"{concept}-{place % 2}" for place, concept in enumerate(split.image_concepts)]
        captions = [f"{concept}-{place % 3}" for place, concept in enumerate(split.caption_concepts)]
        groups = {int(concept): f"group {concept // 81}" for concept in split.image_concepts}
        return replace(split, image_ids=images, caption_ids=captions, sources=images, concept_groups=groups)


def folded(whole: CachedDataset) -> list[FoldedDataset]:
    return [FoldedDataset(whole, index, FOLDS) for index in range(FOLDS)]


def test_every_item_is_tested_once_with_its_own_pixels_caption_and_id(tmp_path: Path) -> None:
    whole = cached(tmp_path, Labelled())
    everything = {
        split.image_ids[place]: (split.images[place].tobytes(), concept)
        for split in map(whole.split, SPLITS)
        for place, concept in enumerate(split.image_concepts.tolist())
    }
    seen: list[str] = []
    for fold in folded(whole):
        for name in SPLITS:
            split = fold.split(name)
            for place, concept in enumerate(split.image_concepts.tolist()):
                assert everything[split.image_ids[place]] == (split.images[place].tobytes(), concept)
            for place, concept in enumerate(split.caption_concepts.tolist()):
                assert split.caption_ids[place].startswith(f"{concept}-")
            assert set(split.caption_concepts.tolist()) == set(split.image_concepts.tolist())
        seen += fold.split("test").image_ids
        groups = [{concept // 81 for concept in fold.split(name).image_concepts.tolist()} for name in SPLITS]
        assert sum(map(len, groups)) == len(set().union(*groups))
    assert sorted(seen) == sorted(everything)
    assert len(seen) == 2 * (16 + 12 + 10)


def test_validation_is_as_large_as_the_datasets_own(tmp_path: Path) -> None:
    for fold in folded(cached(tmp_path, Beads())):
        assert len(fold.split("validation").image_concepts) == 2 * 12


def test_an_unopened_fold_has_the_same_splits(tmp_path: Path) -> None:
    for index, fold in enumerate(folded(cached(tmp_path, Labelled()))):
        source = FoldedSource(Labelled(), index, FOLDS)
        for name in SPLITS:
            one, other = fold.split(name), source.split(name)
            assert list(one.captions) == list(other.captions)
            assert list(one.image_ids) == list(other.image_ids) == list(other.sources)
            np.testing.assert_array_equal(one.image_concepts, other.image_concepts)
            np.testing.assert_array_equal(np.asarray(one.images), np.stack(other.images[:]))
    assert FoldedSource(Labelled(), 0, FOLDS).fingerprint != FoldedSource(Labelled(), 1, FOLDS).fingerprint


def test_all_folds_share_what_is_decoded_and_encoded(tmp_path: Path) -> None:
    whole = cached(tmp_path, Beads())
    SEEN.clear()
    for fold in folded(whole):
        for name in SPLITS:
            split = fold.split(name)
            np.testing.assert_array_equal(fold.encode(Pixels(watch=True), name), np.asarray(split.images))
            expected = Tokens().encode(list(split.captions), "cpu").numpy()
            np.testing.assert_array_equal(fold.encode(Tokens(watch=True), name), expected)
    assert [f"{what} {name}" for what in ("image", "text") for name in SPLITS] == SEEN
    assert not fold.encode(Pixels(), "test").flags.writeable


class Table:
    """An encoder that knows the captions of the train and validation splits of one fold, and their length."""

    modality: Modality = "text"
    base: Encoder | None = None
    bound = True

    def __init__(self, fold: CachedDataset, key: str) -> None:
        self.key = key
        self.known = {text: len(text) for name in KNOWN for text in fold.split(name).captions}

    def encode(self, items: Any, device: str) -> torch.Tensor:
        return torch.tensor([[float(self.known[item])] for item in items], device=device)


class Doubled:
    """Twice what a table says."""

    modality: Modality = "text"
    key = "doubled"

    def __init__(self, base: Encoder) -> None:
        self.base: Encoder | None = base

    def encode(self, items: Any, device: str) -> torch.Tensor:
        return 2 * torch.as_tensor(items, device=device)


def test_an_encoder_that_is_bound_to_a_fold_encodes_no_other_items(tmp_path: Path) -> None:
    for fold in folded(cached(tmp_path, Labelled())):
        table = Table(fold, "the same key in all folds")
        for name in KNOWN:
            lengths = [[len(text)] for text in fold.split(name).captions]
            np.testing.assert_array_equal(fold.encode(table, name), lengths)
            np.testing.assert_array_equal(fold.encode(Doubled(table), name), np.multiply(lengths, 2))
        with pytest.raises(KeyError):
            fold.encode(table, "test")


def test_digest_is_the_datasets_and_content_the_folds(tmp_path: Path) -> None:
    whole = cached(tmp_path, Beads())
    found = folded(whole)
    assert {fold.digest for fold in found} == {whole.digest}
    assert len({whole.content, *(fold.content for fold in found)}) == 1 + FOLDS
    assert FoldedDataset(whole, 0, FOLDS + 1).content != found[0].content
    assert FoldedDataset(whole, 0, FOLDS).content == found[0].content


def test_views_of_a_picture_are_the_same_in_all_folds_and_teachers_encode_what_students_see(tmp_path: Path) -> None:
    whole = cached(tmp_path, Labelled())
    pixels: dict[tuple[int, str], bytes] = {}
    for one in folded(whole):
        fold = one.viewed(VIEWS)
        split, views, texts = fold.split("train"), fold.view_images, fold.view_captions
        assert views is not None
        assert texts is not None
        assert (len(views), len(texts)) == (3 * len(split.images), 3 * len(split.captions))
        np.testing.assert_array_equal(fold.encode(Pixels(), "train", views=views), np.asarray(views[:]))
        read = fold.inputs(Pixels(), "train")
        np.testing.assert_array_equal(read.rows(np.arange(len(read))), np.asarray(views[:]))  # type: ignore[union-attr]
        based = Projection("image", 4, 1)
        based.base = Pixels()
        assert fold.encode(based, "train", views=views).shape == (len(views), 4)
        for row in range(len(views)):
            view, place = divmod(row, len(split.images))
            known = pixels.setdefault((view, split.image_ids[place]), views[row].tobytes())
            assert known == views[row].tobytes()
    assert len(set(pixels.values())) > 2 * len({name for _, name in pixels})


def test_words_left_out_of_a_caption_are_the_same_in_all_folds(tmp_path: Path) -> None:
    words: dict[tuple[int, str], str] = {}
    for one in folded(cached(tmp_path, Labelled())):
        fold = one.viewed(VIEWS)
        split, texts = fold.split("train"), fold.view_captions
        assert texts is not None
        for row, text in enumerate(texts):
            view, place = divmod(row, len(split.captions))
            assert words.setdefault((view, split.caption_ids[place]), text) == text
            assert set(text.split()) <= set(split.captions[place].split())


def test_batches_pair_an_image_with_a_caption_of_its_concept(tmp_path: Path) -> None:
    fold = FoldedDataset(cached(tmp_path, Labelled()), 1, FOLDS)
    split = encode_split(fold, toy(), "train")
    feed = PairFeed(split, FeedSettings(8, 2, 0, "cpu", lambda total: slice(0, total)))
    batch = feed.batch(0)
    captions = split.caption_concepts[batch.captions.numpy()]
    np.testing.assert_array_equal(captions, batch.concepts.numpy())
    images, _ = feed.inputs(0)
    np.testing.assert_array_equal(images.numpy(), np.asarray(fold.split("train").images)[batch.images.numpy()])


def test_weights_of_captions_go_with_them(tmp_path: Path) -> None:
    class Weighted(Beads):
        def split(self, name: SplitName) -> Split:
            split = super().split(name)
            weights = np.arange(len(split.captions), dtype=float) % 3 + 1
            return replace(split, caption_weights=weights) if name == "train" else split

    whole = cached(tmp_path, Weighted())
    of_train = set(whole.split("train").caption_concepts.tolist())
    for fold in folded(whole):
        split = fold.split("train")
        for concept, weight in zip(split.caption_concepts.tolist(), split.caption_weights, strict=True):
            assert weight in ({1.0, 2.0, 3.0} if concept in of_train else {1.0})


def test_a_streamed_dataset_has_no_folds(tmp_path: Path) -> None:
    class Streamed(Beads):
        streamed = True

    with pytest.raises(KdbenchError, match="folds: found a streamed dataset, whose images are not stored"):
        FoldedSource(Streamed(), 0, 5)
    with pytest.raises(KdbenchError, match="folds: found a streamed dataset"):
        FoldedDataset(CachedDataset(Streamed(), Cache(tmp_path)), 0, 5)


def test_splits_are_in_the_order_of_concepts(tmp_path: Path) -> None:
    assert get_args(SplitName) == SPLITS
    for name in SPLITS:
        split: Any = FoldedDataset(cached(tmp_path, Beads()), 2, FOLDS).split(name)
        for concepts in (split.image_concepts, split.caption_concepts):
            assert (np.diff(concepts) >= 0).all()
