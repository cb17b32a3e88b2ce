"""Original pictures: who is given them, under which name what they give is kept, and what is noticed when they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench import KdbenchError, Split
from kdbench.data.dataset import CachedDataset
from kdbench.data.decode import DONE, decode_images
from kdbench.data.originals import Originals, digest_of_picture
from kdbench.data.picture_file import square
from kdbench.data.streaming import StreamedInputs
from kdbench.errors import PluginError
from kdbench.storage.cache import Cache
from tests.support.fuzzing import some
from tests.support.pictured import SHAPES, SIZE, Noting, Pictured, picture
from tests.support.toys import SPLITS, Beads
from tests.support.toys import Projection as Projected

WIDE = [(8, 30), (30, 8), (9, 9)]
few = settings(some, max_examples=30)  # each opens a cache


def opened(folder: Path, dataset: Any) -> CachedDataset:
    return CachedDataset(dataset, Cache(folder))


def equal(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


@few
@given(SHAPES, st.booleans(), st.booleans())
def test_an_encoder_is_given_the_pictures_that_it_asks_for(
    shapes: list[tuple[int, int]], streamed: bool, squares: bool
) -> None:
    with TemporaryDirectory() as folder:
        dataset = opened(Path(folder), Pictured(shapes, streamed, squares=squares))
        for place, name in enumerate(SPLITS):
            expected = [picture(place * len(shapes) + index, *shape) for index, shape in enumerate(shapes)]
            whole, squared = Noting(originals=True), Noting(originals=False)
            found = dataset.encode(whole, name)
            assert equal(whole.seen, expected)
            assert found[:, :2].tolist() == [list(shape) for shape in shapes]
            dataset.encode(squared, name)
            assert equal(squared.seen, [square(one, SIZE) for one in expected])
            split = dataset.split(name)
            assert equal(list(split.originals), expected)
            assert equal(split.originals[:2], expected[:2])


@few
@given(SHAPES, st.booleans())
def test_streaming_changes_no_digest(shapes: list[tuple[int, int]], squares: bool) -> None:
    """The slow way: every picture by itself."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        kept, streamed = opened(Path(one), Pictured(shapes)), opened(Path(other), Pictured(shapes, True, squares=squares))
        assert (kept.digest, kept.content) == (streamed.digest, streamed.content)
        for name in SPLITS:
            assert kept.originals_digest(name) == streamed.originals_digest(name)
            digests = np.load(kept.decoded.folder / f"{name}.originals.npy")
            expected = [digest_of_picture(original) for original in kept.source.split(name).originals]
            assert [row.tobytes() for row in digests] == expected


def darker(original: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Another picture outside the middle square."""
    changed = original.copy()
    changed[0, 0] ^= 255
    return changed


def test_what_lies_outside_the_square_image_is_noticed(tmp_path: Path) -> None:
    reader, squared = Noting(originals=True), Noting(originals=False)
    # Wide enough for its corner not to reach the middle, and of the images' height, so that it is not resized.
    shapes = [(SIZE, 60)]
    before, after = opened(tmp_path, Pictured(shapes)), opened(tmp_path, Pictured(shapes, change={0: darker}))
    assert before.digest == after.digest
    assert before.content != after.content
    for dataset in (before, after, before, after):
        dataset.encode(reader, "train")
        dataset.encode(squared, "train")
    assert len(reader.seen) == 2
    assert len(squared.seen) == 1


def test_other_sizes_of_the_square_image_share_what_originals_gave(tmp_path: Path) -> None:
    reader = Noting(originals=True)
    for size in (6, 8):
        dataset: Any = Pictured(WIDE, fingerprint=f"size {size}", squares=False)
        dataset.size = size
        dataset.read_image = lambda file, offset, bytes, dataset=dataset: square(
            dataset.read_original(file, offset, bytes), dataset.size
        )
        opened(tmp_path, dataset).encode(reader, "test")
    assert len(reader.seen) == len(WIDE)


class Above:
    """Reads what its base gives."""

    modality: Any = "image"
    key = "above"

    def __init__(self, base: Noting) -> None:
        self.base: Any = base
        self.calls = 0

    def encode(self, items: Any, device: str) -> torch.Tensor:
        self.calls += 1
        return torch.from_numpy(np.array(items)).to(device)


def test_an_encoder_above_one_of_originals_is_kept_by_them_too(tmp_path: Path) -> None:
    above = Above(Noting(originals=True))
    for change in ({}, {0: darker}):
        dataset = opened(tmp_path, Pictured([(SIZE, 60)], change=change))
        np.testing.assert_array_equal(dataset.encode(above, "train"), dataset.encode(above.base, "train"))
    assert above.calls == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_a_picture_that_has_changed_since_is_refused(tmp_path: Path, streamed: bool) -> None:
    source = Pictured(WIDE, streamed)
    dataset = opened(tmp_path, source)
    _ = dataset.digest
    source.change[1] = darker
    with pytest.raises(KdbenchError, match="original picture 1: has changed since the dataset was decoded"):
        dataset.encode(Noting(originals=True), "train")
    assert not list(tmp_path.glob("encodings/*/values.npy"))
    dataset.encode(Noting(originals=False, key="squares"), "validation")


@few
@given(SHAPES, st.integers(1, 4000), st.integers(1, 3))
def test_pictures_come_in_parts_of_a_bounded_size(shapes: list[tuple[int, int]], budget: int, threads: int) -> None:
    source = Pictured(shapes).split("train")
    digests = [np.frombuffer(digest_of_picture(original), np.uint8) for original in source.originals]
    originals = Originals(lambda: source, np.stack(digests), threads)
    parts = list(originals.parts(0, len(shapes), budget))
    assert equal([one for part in parts for one in part], list(source.originals))
    for part in parts:
        assert part
        assert sum(one.nbytes for one in part[:-threads]) < budget
    assert equal([one for part in originals.parts(1, len(shapes), budget) for one in part], list(source.originals)[1:])


def test_a_student_that_reads_originals_streams_them(tmp_path: Path) -> None:
    class Bytes(Noting):
        def encode(self, items: Any, device: str) -> torch.Tensor:
            return super().encode(items, device)[:, :2].to(torch.uint8)

    kept, streamed = opened(tmp_path / "1", Pictured(WIDE)), opened(tmp_path / "2", Pictured(WIDE, streamed=True))
    inputs = streamed.inputs(Bytes(originals=True), "train")
    assert isinstance(inputs, StreamedInputs)
    wanted = np.array([2, 0, 1, 0])
    expected = kept.inputs(Bytes(originals=True), "train")
    np.testing.assert_array_equal(inputs.rows(wanted), np.asarray(expected)[wanted])
    assert not list((tmp_path / "2/encodings").glob("*/values.npy"))


def test_exact_outputs_are_float32_and_kept_apart(tmp_path: Path) -> None:
    dataset, encoder = opened(tmp_path, Beads()), Projected("image", 5, 0)
    exact, half = dataset.encode(encoder, "test", exact=True), dataset.encode(encoder, "test")
    assert (str(exact.dtype), str(half.dtype)) == ("float32", "float16")
    np.testing.assert_array_equal(exact.astype(np.float16), half)
    np.testing.assert_array_equal(exact, encoder.encode(dataset.split("test").images, "cpu").numpy())


def test_digests_are_resumed_with_their_images(tmp_path: Path) -> None:
    shapes = [(3 + index % 5, 4 + index % 7) for index in range(300)]
    split = Pictured(shapes).split("train")
    images, digests = tmp_path / "images.npy", tmp_path / "originals.npy"
    expected = [digest_of_picture(one) for one in split.originals]
    decode_images(split, SIZE, images, lambda *_: None, 2, digests)
    assert [row.tobytes() for row in np.load(digests)] == expected
    whole = images.read_bytes(), digests.read_bytes()
    for damaged in (images, digests):
        found = np.load(damaged, mmap_mode="r+")
        found[130] ^= 1
        found.flush()
        source = Pictured(shapes)
        decode_images(source.split("train"), SIZE, images, lambda *_: None, 1, digests)
        assert sorted(set(source.reads)) == list(range(128, 256))  # its chunk
        assert (images.read_bytes(), digests.read_bytes()) == whole
    images.with_name(images.name + DONE).unlink()


@pytest.mark.parametrize("wrong", [np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5)), np.zeros((0, 5, 3), np.uint8)])
def test_an_original_that_is_no_picture_is_refused(tmp_path: Path, wrong: Any) -> None:
    class Wrong(Pictured):
        def split(self, name: Any) -> Split:
            split = super().split(name)
            return Split(
                [square(one, SIZE) for one in split.originals],
                split.captions,
                split.image_concepts,
                split.caption_concepts,
                originals=[wrong] * len(self.shapes),
            )

    with pytest.raises(PluginError, match=r"image 0: found an original of .*expected uint8 of shape \[height, width, 3\]"):
        _ = opened(tmp_path, Wrong(WIDE)).digest


def test_a_streamed_dataset_with_originals_reads_them_by_place(tmp_path: Path) -> None:
    class Silent(Pictured):
        read_original: Any = property()

    class Plain(Silent):
        def split(self, name: Any) -> Split:
            return Pictured(self.shapes, True).split(name)

    with pytest.raises(PluginError, match="found no method read_original"):
        _ = opened(tmp_path, Plain(WIDE, streamed=True)).digest
