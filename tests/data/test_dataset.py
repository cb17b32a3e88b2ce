"""What is decoded and encoded, how often, and what the digest hangs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Encoder, Modality, Split, SplitName
from kdbench.data.dataset import CachedDataset
from kdbench.data.encoding import CHUNK
from kdbench.storage.cache import Cache
from kdbench.suite.settings import Views
from tests.support.toys import SPLITS, Beads, Pixels, Projection, Tokens, cached


def test_decoded_splits_equal_the_source(tmp_path: Path) -> None:
    dataset, source = cached(tmp_path), Beads()
    for name in SPLITS:
        found, expected = dataset.split(name), source.split(name)
        np.testing.assert_array_equal(np.asarray(found.images), np.stack(list(expected.images)))
        assert np.asarray(found.images).dtype == np.uint8
        assert list(found.captions) == list(expected.captions)
        np.testing.assert_array_equal(found.image_concepts, expected.image_concepts)
        np.testing.assert_array_equal(found.caption_concepts, expected.caption_concepts)


def test_decoded_pixels_cannot_be_written(tmp_path: Path) -> None:
    images: Any = cached(tmp_path).split("train").images
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def nothing(split: Split) -> None:
    """Changes nothing."""


class Changed(Beads):
    """Beads with something changed, under the fingerprint given."""

    def __init__(self, change: Callable[[Split], None] = nothing, fingerprint: str = "beads") -> None:
        super().__init__()
        self.change = change
        self.fingerprint = fingerprint

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        if name == "validation":
            self.change(split)
        return split


def one_pixel(split: Split) -> None:
    split.images[3][2, 1, 0] ^= 1


def one_caption(split: Split) -> None:
    split.captions[5] += "s"  # type: ignore[index]


def one_concept(split: Split) -> None:
    split.caption_concepts[0] = split.caption_concepts[-1]


def test_the_digest_is_that_of_the_contents(tmp_path: Path) -> None:
    digest = cached(tmp_path / "1", Changed()).digest
    assert cached(tmp_path / "1", Changed()).digest == digest
    assert cached(tmp_path / "2", Changed(fingerprint="another")).digest == digest
    changed = [cached(tmp_path / change.__name__, Changed(change)).digest for change in (one_pixel, one_caption, one_concept)]
    assert len({digest, *changed}) == 4


def test_the_source_is_read_once_for_a_fingerprint(tmp_path: Path) -> None:
    reads = []
    for fingerprint in ("one", "one", "two"):
        cached(tmp_path, Changed(lambda split: reads.append(len(split.images)), fingerprint)).split("test")
    assert len(reads) == 2


class Double:
    """Twice what its base gives."""

    modality: Modality = "image"
    base: Encoder | None

    def __init__(self, base: Encoder, key: str = "double") -> None:
        self.base = base
        self.key = key
        self.items: list[tuple[tuple[int, ...], str]] = []

    def encode(self, items: Any, device: str) -> Tensor:
        self.items.append((items.shape, str(items.dtype)))
        return 2 * torch.from_numpy(np.array(items)).to(device)


def test_outputs_are_those_of_the_encoder_in_order(tmp_path: Path) -> None:
    dataset = cached(tmp_path, Beads(train=CHUNK))  # 256 images and 384 captions: several chunks
    split = dataset.split("train")
    for encoder, items in ((Projection("image", 5, 0), split.images), (Projection("text", 5, 0), split.captions)):
        found = dataset.encode(encoder, "train")
        assert encoder.calls == -(-len(items) // CHUNK) > 1
        np.testing.assert_array_equal(found, encoder.encode(items, "cpu").numpy().astype(np.float16))


def test_outputs_are_kept_by_key(tmp_path: Path) -> None:
    dataset, encoder = cached(tmp_path), Projection("image", 5, 0)
    first = dataset.encode(encoder, "train")
    np.testing.assert_array_equal(dataset.encode(encoder, "train"), first)
    namesake = Projection("image", 5, 0)
    np.testing.assert_array_equal(cached(tmp_path).encode(namesake, "train"), first)
    assert (encoder.calls, namesake.calls) == (1, 0)
    dataset.encode(encoder, "test")
    assert encoder.calls == 2
    other = Projection("image", 5, 1)
    assert not np.array_equal(dataset.encode(other, "train"), first)
    assert other.calls == 1


def test_outputs_are_kept_by_what_was_encoded(tmp_path: Path) -> None:
    encoder = Projection("image", 5, 0)
    for dataset in (Changed(), Changed(fingerprint="same contents"), Changed(one_pixel, "other contents")):
        CachedDataset(dataset, Cache(tmp_path)).encode(encoder, "validation")
    assert encoder.calls == 2


def test_a_base_is_encoded_once_for_all(tmp_path: Path) -> None:
    dataset, base = cached(tmp_path), Projection("image", 5, 0)
    heads = [Double(base, key) for key in ("one", "two")]
    for head in heads:
        found = dataset.encode(head, "train")
        np.testing.assert_array_equal(found, 2 * dataset.encode(base, "train"))
    assert base.calls == 1
    assert [head.items for head in heads] == [[((32, 5), "float32")]] * 2  # stored halved, handed on whole
    tower = Double(heads[0], "three")
    np.testing.assert_array_equal(dataset.encode(tower, "train"), 4 * dataset.encode(base, "train"))
    assert (base.calls, len(heads[0].items)) == (1, 1)


def test_outputs_are_kept_by_the_base(tmp_path: Path) -> None:
    """Two encoders of one key compute something else of other bases."""
    dataset = cached(tmp_path)
    for seed in (0, 1):
        base = Projection("image", 5, seed)
        found = dataset.encode(Double(base), "train")
        np.testing.assert_array_equal(found, 2 * dataset.encode(base, "train"))


def test_outputs_are_kept_by_the_views(tmp_path: Path) -> None:
    encoder = Projection("image", 5, 0)
    for views in (Views(count=2), Views(count=2, flip=0.0), Views(count=3)):
        dataset = cached(tmp_path).viewed(views)
        found = dataset.encode(encoder, "train", views=dataset.view_images)
        assert dataset.view_images is not None
        np.testing.assert_array_equal(found, encoder.encode(dataset.view_images[:], "cpu").numpy().astype(np.float16))


class Constant:
    """Ones of some type."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, dtype: torch.dtype) -> None:
        self.key = str(dtype)
        self.dtype = dtype

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.ones(len(items), 2, dtype=self.dtype, device=device)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_are_stored_as_float16(tmp_path: Path, dtype: torch.dtype) -> None:
    found = cached(tmp_path).encode(Constant(dtype), "test")
    assert found.dtype == np.float16
    assert (found == 1).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_integers_are_stored_as_they_are(tmp_path: Path, dtype: torch.dtype) -> None:
    found = cached(tmp_path).encode(Constant(dtype), "test")
    assert found.dtype == torch.ones(1, dtype=dtype).numpy().dtype
    assert (found == 1).all()


def test_pixels_and_tokens_keep_their_shapes(tmp_path: Path) -> None:
    dataset = cached(tmp_path)
    assert dataset.encode(Pixels(), "test").shape == (20, 6, 6, 3)
    assert dataset.encode(Tokens(), "test").shape == (30, 6)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    dataset = CachedDataset(Beads(train=CHUNK), Cache(tmp_path), report=lambda *report: told.append(report))
    dataset.encode(Projection("text", 5, 0), "train")
    captions = [(done, total) for stage, done, total in told if stage == "encode train texts"]
    assert captions == [(CHUNK, 384), (2 * CHUNK, 384), (384, 384)]
    assert {stage for stage, *_ in told if stage.startswith("decode")} == {f"decode {name} images" for name in SPLITS}


def test_seconds_are_those_of_making_whoever_made_it(tmp_path: Path) -> None:
    first, second = cached(tmp_path), cached(tmp_path)
    for dataset in (first, second, second):
        dataset.encode(Double(Projection("image", 5, 0)), "train")
    assert first.seconds == second.seconds
    assert len(first.seconds) == 2  # base and head
