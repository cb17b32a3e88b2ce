"""A dataset as runs use it: decoded once into uint8 memory maps, and encoded once by each encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, Encoder, Split, SplitName
from kdbench.data.captions import StoredCaptions
from kdbench.data.decode import DONE, decode_images, hash_images, other_files
from kdbench.data.encoding import Compute, help_with_rows, write_rows
from kdbench.data.streaming import StreamedInputs
from kdbench.errors import PluginError
from kdbench.storage.cache import Cache, Entry
from kdbench.storage.digest import digest_of
from kdbench.storage.memory_map import let_go
from kdbench.storage.placed_images import PLACE, PlacedImages

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
FORMAT = 1
VALUES = "values.npy"
PLACES, FILES, HASH = "train.places.npy", "train.files.json", "train.images.sha256"  # in place of a streamed split's images
Report = Callable[[str, int, int], None]  # stage, done, total


def silent(stage: str, done: int, total: int) -> None:
    """Reports nothing."""


class CachedDataset:
    """Wraps a plugin's dataset. `seconds` maps the folder of each opened cache entry to the seconds that making it took.

    Images are decoded by `jobs` threads. Decoding and encoding resume after an interrupt or a kill.

    If the dataset's `streamed` is true, images of the train split are not stored in decoded form: they are read from their
    source once for the digest, and again in every epoch. Validation and test images, which are few, are decoded as usual.
    """

    def __init__(self, dataset: Dataset, cache: Cache, device: str = "cpu", report: Report = silent, jobs: int = 1) -> None:
        self.source = dataset
        self.cache = cache
        self.device = device
        self.report = report
        self.jobs = jobs
        self.streamed: bool = getattr(dataset, "streamed", False)
        self.seconds: dict[Path, float] = {}

    @cached_property
    def decoded(self) -> Entry:
        """The cache entry of all images, captions and concepts."""
        identity = {"format": FORMAT, "fingerprint": self.source.fingerprint, "size": self.source.size}
        if self.streamed:
            identity["streamed"] = True
        return self.cache.entry("datasets", identity, self._decode, resumable=True)

    @property
    def digest(self) -> str:
        """A hash of all pixels, captions and concepts, the same with and without streaming."""
        files = {name: file["sha256"] for name, file in self.decoded.files.items() if name not in (PLACES, FILES, HASH)}
        if self.streamed:
            files["train.images.npy"] = (self.decoded.folder / HASH).read_text(encoding="ascii")
        return digest_of(files)

    @property
    def licence(self) -> str:
        return self.source.licence

    @property
    def encodings(self) -> dict[str, float]:
        """Seconds that making each opened cache entry took, by the first 12 digits of its key."""
        return {folder.name[:12]: round(seconds, 3) for folder, seconds in self.seconds.items()}

    def split(self, name: SplitName) -> Split:
        """A split: images [N, size, size, 3] and concepts as memory maps, captions read on access.

        Images of a streamed split are PlacedImages.
        """
        folder = self.decoded.folder
        image_concepts, caption_concepts = (
            np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in ("image_concepts", "caption_concepts")
        )
        captions = StoredCaptions(folder / f"{name}.captions.json", len(caption_concepts))
        if not self._streams(name):
            return Split(np.load(folder / f"{name}.images.npy", mmap_mode="r"), captions, image_concepts, caption_concepts)
        source: Any = self.source
        files = json.loads((folder / FILES).read_text(encoding="utf-8"))
        images = PlacedImages(source.read_image, files, np.load(folder / PLACES, mmap_mode="r"))
        return Split(images, captions, image_concepts, caption_concepts)

    def inputs(self, encoder: Encoder, name: SplitName) -> NDArray[Any] | StreamedInputs:
        """A student's inputs: like `encode`, but pixels of a streamed split are computed whenever rows are read.

        Pixels are uint8 values that are computed directly from images. Other outputs come from a network and are stored.
        """
        if self._streams(name) and encoder.modality == "image" and encoder.base is None:
            images = self.split(name).images
            if isinstance(images, PlacedImages):
                first = encoder.encode(images[:1], self.device).detach().cpu().numpy()
                if first.dtype == np.uint8:
                    return StreamedInputs(images, encoder)
        return self.encode(encoder, name)

    def _streams(self, name: SplitName) -> bool:
        return self.streamed and name == "train"

    def encode(self, encoder: Encoder, name: SplitName) -> NDArray[Any]:
        """The outputs of `encoder` on every image or caption of a split, in order, as a read-only memory map.

        Processes that need the same outputs at the same time compute them together.
        """
        # The base comes first: its time is counted separately and its cache entry is shared.
        items = self.encode(encoder.base, name) if encoder.base else None
        identity = {
            "format": FORMAT,
            "dataset": self.digest,
            "split": name,
            "modality": encoder.modality,
            "encoder": encoder.key,
        }

        def work() -> tuple[int, Compute]:
            split = self.split(name)
            source = items if items is not None else split.images if encoder.modality == "image" else split.captions
            return len(source), lambda start, stop: self._encode(encoder, source, start, stop)

        def make(folder: Path) -> None:
            stage = f"encode {name} {encoder.modality}s"
            write_rows(folder / VALUES, *work(), lambda done, total: self.report(stage, done, total))

        def help_along(folder: Path) -> None:
            help_with_rows(folder / VALUES, *work())

        entry = self.cache.entry("encodings", identity, make, True, help_along)
        self.seconds[entry.folder] = entry.seconds
        values: NDArray[Any] = np.load(entry.folder / VALUES, mmap_mode="r")
        return values

    def _encode(self, encoder: Encoder, items: Any, start: int, stop: int) -> NDArray[Any]:
        chunk = items[start:stop]
        if getattr(chunk, "dtype", None) == np.float16:  # a base's outputs: stored as float16, passed on as float32
            chunk = chunk.astype(np.float32)
        tensor = encoder.encode(chunk, self.device).detach().cpu()
        let_go(items)
        values: NDArray[Any] = (tensor.half() if tensor.is_floating_point() else tensor).numpy()
        return values

    def _decode(self, folder: Path) -> None:
        for name in SPLITS:
            split = self.source.split(name)

            def progress(done: int, total: int, name: SplitName = name) -> None:
                self.report(f"decode {name} images", done, total)

            if self._streams(name):
                self._list(split, folder, progress)
            else:
                decode_images(split, self.source.size, folder / f"{name}.images.npy", progress, self.jobs)
            for file, content in other_files(split, name).items():
                with (folder / file).open("wb") as stream:
                    stream.writelines(content)
        for listed in folder.glob(f"*{DONE}"):
            listed.unlink()

    def _list(self, split: Split, folder: Path, progress: Callable[[int, int], None]) -> None:
        """Writes the locations of a streamed split's images, and the hash that a file of all decoded images would have."""
        images: Any = split.images
        if not isinstance(images, PlacedImages) or not hasattr(self.source, "read_image"):
            found = type(images).__name__
            raise PluginError(f"the dataset is streamed: found images of type {found}, expected PlacedImages and a read_image")
        np.save(folder / PLACES, images.places.astype(PLACE))
        (folder / FILES).write_text(json.dumps(list(images.files)), encoding="utf-8")
        (folder / HASH).write_text(hash_images(split, self.source.size, progress, images.threads), encoding="ascii")
