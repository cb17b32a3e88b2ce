"""Images read where they lie: the same batches, pixels, digest and ranks as from a decoded copy, and no copy."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kdbench import PLACE, Encoder, KdbenchError, Modality, Offer, PlacedImages, Split, SplitName
from kdbench.data.dataset import CachedDataset
from kdbench.data.prepare import check, prepare
from kdbench.data.streaming import Ahead, StreamedInputs
from kdbench.errors import PluginError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import record_path
from kdbench.runs.execute import execute
from kdbench.storage.cache import Cache
from tests.support.toys import BEADS, SPLITS, Beads, Projection, plugged, read_ranks, run_context, run_spec, toy_plugins

WIDTH = 3 * BEADS**2
READS = "KDBENCH_TEST_READS"  # names a file in which processes note each image that they read


class Placed(Beads):
    """Beads whose pixels lie in files of `folder`, seven images in each, behind what is no image."""

    def __init__(self, *, folder: Path, streamed: bool = True, train: int = 16) -> None:
        super().__init__(train=train)
        self.folder = Path(folder)
        self.streamed = streamed

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [f"{name}{number}" for number in range(-(-len(split.images) // 7))]
        for number, file in enumerate(files):
            content = b"".join(image.tobytes() for image in split.images[7 * number : 7 * number + 7])
            (self.folder / file).write_bytes(b"head " + content)
        found = [(place // 7, 5 + place % 7 * WIDTH, WIDTH) for place in range(len(split.images))]
        images = PlacedImages(self.read_image, files, np.array(found, dtype=PLACE), threads=3)
        return Split(images, split.captions, split.image_concepts, split.caption_concepts)

    def read_image(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        with (self.folder / file).open("rb") as stream:
            stream.seek(offset)
            content = stream.read(size)
        if READS in os.environ:
            with Path(os.environ[READS]).open("a") as notes:
                notes.write(f"{os.getpid()}\n")
        if len(content) != size:
            raise KdbenchError(f"{file}: found {len(content)} bytes, expected {size}")
        return np.frombuffer(content, np.uint8).reshape(BEADS, BEADS, 3)


def placed_plugins() -> Plugins:
    return toy_plugins(datasets=[Offer("placed", Placed)])


class Half:
    """Every second row and column of images."""

    modality: Modality = "image"
    base: Encoder | None = None
    key = "half"

    def encode(self, items: Any, device: str) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(items[:, ::2, ::2])).to(device)


def test_places_are_images(tmp_path: Path) -> None:
    expected = np.stack(list(Beads().split("train").images))
    images: Any = Placed(folder=tmp_path).split("train").images
    assert len(images) == len(expected) == 32
    for index in (0, 6, 7, 31, -1):
        np.testing.assert_array_equal(images[index], expected[index])
    np.testing.assert_array_equal(np.stack(list(images)), expected)
    for part in (slice(None), slice(3, 20), slice(20, 3, -2), slice(5, 5)):
        np.testing.assert_array_equal(images[part], expected[part])
        assert images[part].shape == expected[part].shape
    for index in (32, -33):
        with pytest.raises(IndexError, match=f"image {index} of 32"):
            images[index]


def test_no_copy_is_made_and_the_digest_is_that_of_the_copy(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    streamed = prepare(Placed(folder=tmp_path / "a"), cache)
    copied = prepare(Placed(folder=tmp_path / "b", streamed=False), cache)
    assert streamed.digest == copied.digest == copied.decoded.digest == check(Placed(folder=tmp_path / "c")).digest
    assert streamed.digest == CachedDataset(Beads(), Cache(tmp_path / "other")).digest
    assert not (streamed.decoded.folder / "train.images.npy").exists()
    assert (streamed.decoded.folder / "test.images.npy").exists()
    for name in SPLITS:
        np.testing.assert_array_equal(streamed.split(name).images[:], np.asarray(copied.split(name).images))
    assert len(prepare(Placed(folder=tmp_path / "a", train=20), cache).split("train").images) == 40


def test_one_other_pixel_is_another_digest(tmp_path: Path) -> None:
    class Other(Placed):
        def read_image(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
            found = super().read_image(file, offset, size).copy()
            found[-1, -1, -1] ^= file == "train2"
            return found

    other = Other(folder=tmp_path)
    other.fingerprint = "other"
    digests = [prepare(dataset, Cache(tmp_path)).digest for dataset in (Placed(folder=tmp_path), other)]
    assert digests[0] != digests[1]


def test_pixels_are_made_anew_and_what_took_a_network_is_kept(tmp_path: Path) -> None:
    streamed = CachedDataset(Placed(folder=tmp_path / "a"), Cache(tmp_path / "cache"))
    copied = CachedDataset(Beads(), Cache(tmp_path / "other"))
    pixels = streamed.inputs(Half(), "train")
    assert isinstance(pixels, StreamedInputs)
    wanted = np.array([31, 0, 0, 17, 5])
    expected = copied.encode(Half(), "train")[wanted]
    np.testing.assert_array_equal(pixels.rows(wanted), expected)
    assert pixels.rows(wanted[:0]).shape == expected[:0].shape
    projection = Projection("image", 8, 0)
    kept: list[tuple[Encoder, SplitName]] = [(Half(), "test"), (projection, "train")]
    for encoder, name in kept:
        found = streamed.inputs(encoder, name)
        assert isinstance(found, np.memmap)
        np.testing.assert_array_equal(found, copied.encode(encoder, name))


@pytest.mark.parametrize("streams", [True, False])
def test_the_next_rows_are_read_while_these_are_used(tmp_path: Path, streams: bool) -> None:
    dataset = CachedDataset(Placed(folder=tmp_path / "a"), Cache(tmp_path / "cache"))
    expected = CachedDataset(Beads(), Cache(tmp_path / "other")).encode(Half(), "train")
    values = dataset.inputs(Half(), "train") if streams else expected
    asked: list[int] = []

    def wanted(step: int) -> NDArray[Any]:
        asked.append(step)
        assert threading.current_thread() is threading.main_thread()  # batches are no business of another
        return np.arange(step, step + 4)

    ahead = Ahead(values, wanted, steps=6)
    for step in (2, 3, 4, 5):  # as a run that resumes
        np.testing.assert_array_equal(ahead(step), expected[step : step + 4])
    assert asked == [2, 3, 4, 5]
    np.testing.assert_array_equal(Ahead(values, wanted, 6)(0), expected[:4])
    assert asked[4:] == ([0, 1] if streams else [0])


@pytest.mark.parametrize("strategy", ["equal", "ammkd"])
def test_a_run_ends_the_same_streamed_or_not(tmp_path: Path, strategy: str) -> None:
    found = []
    for streamed in (True, False):
        where = run_context(tmp_path / f"{streamed}", datasets=[Offer("placed", Placed)])
        dataset = plugged("placed", folder=str(tmp_path / "images"), streamed=streamed)
        record = execute(run_spec(dataset=dataset, strategy=plugged(strategy)), where)
        assert (record.status, record.reason) == ("ok", "")
        ranks = read_ranks(record_path(where.results, "toys", record.run_id))
        found.append((record.metrics, record.validation, record.weights, record.dataset_digest, record.arrays_sha256, ranks))
    assert str(found[0]) == str(found[1])
    stored = [path.name for path in (tmp_path / "True/cache").rglob("*.npy")]
    assert "train.places.npy" in stored
    assert "train.images.npy" not in stored


def test_each_rank_reads_its_share_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = replace(run_context(tmp_path, datasets=[Offer("placed", Placed)]), plugins_elsewhere=placed_plugins)
    dataset = plugged("placed", folder=str(tmp_path / "images"))
    alone = execute(run_spec(dataset=dataset), where)
    two = run_spec(dataset=dataset, train={"devices": 2})
    record_path(where.results, "toys", two.run_id).unlink()
    monkeypatch.setenv(READS, str(tmp_path / "reads"))
    record = execute(two, where)
    assert (record.status, record.reason) == ("ok", "")
    assert record.validation == pytest.approx(alone.validation, abs=0.1)
    reads = Counter((tmp_path / "reads").read_text().split())
    looked = 1  # whether these are pixels
    assert sorted(reads.values()) == [looked + 12 * 8 // 2] * 2


def test_an_image_that_is_gone_fails_the_run_by_its_name(tmp_path: Path) -> None:
    where = run_context(tmp_path, datasets=[Offer("placed", Placed)])
    dataset = plugged("placed", folder=str(tmp_path / "images"))
    assert execute(run_spec(dataset=dataset, seed=1), where).status == "ok"
    (tmp_path / "images/train3").write_bytes(b"head ")
    record = execute(run_spec(dataset=dataset, seed=2), where)
    assert (record.status, record.reason) == ("failed", f"train3: found 0 bytes, expected {WIDTH}")


def test_a_dataset_that_says_it_streams_and_does_not_is_an_error(tmp_path: Path) -> None:
    class Boast(Beads):
        streamed = True

    with pytest.raises(PluginError, match="found images of type list, expected PlacedImages"):
        _ = CachedDataset(Boast(), Cache(tmp_path)).digest
