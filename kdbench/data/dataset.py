"""A dataset as runs use it: decoded once into uint8 memory maps, and encoded once by each encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, Encoder, Modality, Split, SplitName
from kdbench.contracts.encoder import keys_of, reads_ids, reads_originals
from kdbench.data.borders import EqualRows, checked_rows, stored_rows
from kdbench.data.captions import StoredCaptions
from kdbench.data.decode import DONE, caption_weights, decode_images, hash_images, npy, other_files
from kdbench.data.encoding import DONE as LISTS
from kdbench.data.encoding import Compute, help_with_rows, write_rows
from kdbench.data.ids import Ids
from kdbench.data.originals import Originals
from kdbench.data.side_by_side import SideBySide
from kdbench.data.streaming import StreamedInputs
from kdbench.data.viewed_captions import ViewedCaptions
from kdbench.data.viewed_images import ViewedImages
from kdbench.errors import KdbenchError, PluginError
from kdbench.plugins.library_warnings import kept_in, warn_again
from kdbench.storage.cache import Cache, Entry
from kdbench.storage.digest import digest_of
from kdbench.storage.maker import code_behind, made_by, maker
from kdbench.storage.memory_map import let_go
from kdbench.storage.placed_images import PLACE, PlacedImages
from kdbench.suite.settings import Views

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
FORMAT = 2  # of a decoded dataset; 1: digests of original pictures were not noted
ENCODING_FORMAT = 2  # 1: keys of encoders lacked what changes no tensor, such as the activation
VALUES = "values.npy"
PLACES, FILES, HASH = "train.places.npy", "train.files.json", "train.images.sha256"  # in place of a streamed split's images
Report = Callable[[str, int, int], None]  # stage, done, total
Check = Callable[[NDArray[Any]], object]


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
        self.views: Views | None = None
        self.seconds: dict[Path, float] = {}
        self._code = code_behind(dataset)
        self._maker = maker()

    @cached_property
    def decoded(self) -> Entry:
        """The cache entry of all images, captions and concepts."""
        identity = {"format": FORMAT, "fingerprint": self.source.fingerprint, "size": self.source.size, **self._code}
        if self.streamed:
            identity["streamed"] = True
        with made_by(self._maker):
            return self.cache.entry("datasets", identity, self._decode, RESUMED)

    @property
    def digest(self) -> str:
        """A hash of all pixels, captions and concepts, the same with and without streaming."""
        beside = (PLACES, FILES, HASH, *map(_originals, SPLITS))
        files = {name: file["sha256"] for name, file in self.decoded.files.items() if name not in beside}
        if self.streamed:
            files["train.images.npy"] = (self.decoded.folder / HASH).read_text(encoding="ascii")
        return digest_of(files)

    @property
    def content(self) -> str:
        """A hash of everything that encoders read: `digest`, and the original pictures of every split if there are any."""
        originals = [self.originals_digest(name) for name in SPLITS]
        return digest_of([self.digest, *originals]) if any(originals) else self.digest

    def originals_digest(self, name: SplitName) -> str | None:
        """A hash of the original pictures of a split, None if the dataset has none."""
        found = self.decoded.files.get(_originals(name))
        return None if found is None else str(found["sha256"])

    @property
    def licence(self) -> str:
        return self.source.licence

    @property
    def encodings(self) -> dict[str, float]:
        """Seconds that making each opened cache entry took, by the first 12 digits of its key."""
        return {folder.name[:12]: round(seconds, 3) for folder, seconds in self.seconds.items()}

    def split(self, name: SplitName) -> Split:
        """A split: images [N, size, size, 3] and concepts as memory maps, captions and ids read on access.

        Images of a streamed split are PlacedImages. Originals, if the dataset has them, are read from their files on access.
        """
        folder = self.decoded.folder
        image_concepts, caption_concepts = (
            np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in ("image_concepts", "caption_concepts")
        )
        captions = StoredCaptions(folder / f"{name}.captions.json", len(caption_concepts))
        images = self._placed("read_image") if self._streams(name) else np.load(folder / f"{name}.images.npy", mmap_mode="r")
        listed = cache(lambda: self.source.split(name))
        image_ids, caption_ids = (Ids(listed, modality, name) for modality in get_args(Modality))
        split = Split(images, captions, image_concepts, caption_concepts, image_ids=image_ids, caption_ids=caption_ids)
        if caption_weights(name) in self.decoded.files:
            split = replace(split, caption_weights=np.load(folder / caption_weights(name)))
        if self.originals_digest(name) is None:
            return split

        def read() -> Split:
            # A streamed split is not listed again, which would read every shard.
            return replace(split, originals=self._placed("read_original")) if self._streams(name) else self.source.split(name)

        return replace(split, originals=Originals(read, np.load(folder / _originals(name), mmap_mode="r")))

    def ids(self, modality: Modality, name: SplitName) -> Sequence[str]:
        """The ids of a split's images or captions. Raises KdbenchError if the dataset has none, or an id twice."""
        split = self.split(name)
        ids = split.image_ids if modality == "image" else split.caption_ids
        if not len(ids):
            raise KdbenchError(
                f"the {name} split: found no ids of {modality}s; expected some, by which embeddings in a file are found. A "
                f"dataset states them in Split.{modality}_ids"
            )
        return ids

    def _placed(self, method: str) -> PlacedImages:
        """The streamed images, read by a method of the dataset."""
        folder = self.decoded.folder
        files = json.loads((folder / FILES).read_text(encoding="utf-8"))
        return PlacedImages(getattr(self.source, method), files, np.load(folder / PLACES, mmap_mode="r"))

    def inputs(self, encoder: Encoder, name: SplitName) -> NDArray[Any] | StreamedInputs | SideBySide:
        """A student's inputs: like `encode`, but pixels of a streamed split and of views are computed whenever rows are read.

        Pixels are uint8 values that are computed directly from images. Other outputs come from a network and are stored. With
        `views`, the inputs of the train split are those of all views: [K·N, …] in the order of `ViewedImages`, and, if words of
        captions are left out, [K·M, …] in that of `ViewedCaptions`.
        """
        if parts := getattr(encoder, "parts", ()):
            return SideBySide([self.inputs(part, name) for part in parts])
        if encoder.modality == "text":
            return self.encode(encoder, name, views=self.view_captions if name == "train" else None)
        views = self.view_images if name == "train" else None
        if encoder.base is None and (self._streams(name) or views is not None):
            images = _items(encoder, self.split(name)) if views is None else views
            first = checked_rows(encoder, encoder.encode(images[:1], self.device), 1).detach().cpu().numpy()
            if first.dtype == np.uint8:
                return StreamedInputs(images, encoder)
        return self.encode(encoder, name, views=views)

    def viewed(self, views: Views | None) -> Self:
        """The same dataset, whose train images a student sees in augmented views."""
        other = copy(self)
        other.views = views
        return other

    @property
    def view_images(self) -> ViewedImages | None:
        """All views of the train images, None without views."""
        if self.views is None:
            return None
        return ViewedImages(self.split("train").images, self.views, self._pool, numbers=self._numbers(images=True))

    @property
    def view_captions(self) -> ViewedCaptions | None:
        """All views of the train captions, None without views that leave out words."""
        if self.views is None or not self.views.drop_words:
            return None
        return ViewedCaptions(self.split("train").captions, self.views, self._pool, numbers=self._numbers(images=False))

    @property
    def _part(self) -> dict[str, str]:
        """What tells its splits from others of the same items."""
        return {}

    @property
    def _pool(self) -> str:
        """Identifies the items that views are drawn for."""
        return self.digest

    def _numbers(self, images: bool) -> NDArray[np.int64] | None:  # noqa: ARG002
        """Those of the train images or captions among these items; None if they are all, in order."""
        return None

    def _streams(self, name: SplitName) -> bool:
        return self.streamed and name == "train"

    def encode(
        self,
        encoder: Encoder,
        name: SplitName,
        check: Check | None = None,
        exact: bool = False,
        views: ViewedImages | ViewedCaptions | None = None,
    ) -> NDArray[Any]:
        """The outputs of `encoder` on every image or caption of a split, in order, as a read-only memory map.

        With `views`, the outputs on these views of the split's images or captions; raises KdbenchError for an encoder that
        reads ids.

        Floating-point outputs are float16, with `exact` float32; those of a base are float16 in both cases. Processes that
        need the same outputs at the same time compute them together. `check` is given each chunk that is
        computed and may raise an error before the rest is. Raises PluginError if rows are missing or not finite.
        """
        # The base comes first: its time is counted separately and its cache entry is shared.
        items = self.encode(encoder.base, name, views=views) if encoder.base else None
        originals = self.originals_digest(name) if reads_originals(encoder) and views is None else None
        ids = self.ids(encoder.modality, name) if reads_ids(encoder) else None
        if ids is not None and views is not None:
            raise KdbenchError(
                "train.views.teachers: found 'same' and a teacher that looks embeddings up by ids; expected 'clean': it has "
                "none of augmented views"
            )
        content = {"dataset": self.digest} if originals is None else {"originals": originals}
        if ids is not None:
            content = {"ids": digest_of(list(ids))}
        identity = {
            "format": ENCODING_FORMAT,
            **({"exact": True} if exact else {}),
            **content,
            **self._part,
            "split": name,
            **({"views": views.identity} if views is not None else {}),
            "modality": encoder.modality,
            "encoder": encoder.key,
            "bases": keys_of(encoder)[1:],  # whatever an encoder of another base is called, it computes something else
            **code_behind(*_chain(encoder)),
        }

        def work() -> tuple[int, Compute]:
            plain = ids if ids is not None else _items(encoder, self.split(name)) if views is None else views
            source = plain if items is None else items
            equal = EqualRows(encoder, check)
            where = f"{name} {encoder.modality}"
            return len(source), lambda start, stop: equal(self._encode(encoder, source, start, stop, where, exact))

        def make(folder: Path) -> None:
            what = encoder.modality if views is None else f"{encoder.modality} view"
            stage = f"encode {name} {what}s"
            with kept_in(folder):
                write_rows(folder / VALUES, *work(), lambda done, total: self.report(stage, done, total))

        def help_along(folder: Path) -> None:
            help_with_rows(folder / VALUES, *work())

        entry = self.cache.entry("encodings", identity, make, (VALUES, VALUES + LISTS), help_along)
        self.seconds[entry.folder] = entry.seconds
        warn_again(entry.folder)
        values: NDArray[Any] = np.load(entry.folder / VALUES, mmap_mode="r")
        return values

    def _encode(self, encoder: Encoder, items: Any, start: int, stop: int, where: str, exact: bool) -> NDArray[Any]:
        if isinstance(items, Originals):
            parts = []
            for part in items.parts(start, stop):
                parts.append(stored_rows(encoder, encoder.encode(part, self.device), len(part), start, where, exact))
                start += len(part)
            return np.concatenate(parts)
        chunk = items[start:stop]
        if getattr(chunk, "dtype", None) == np.float16:  # a base's outputs: stored as float16, passed on as float32
            chunk = chunk.astype(np.float32)
        made = encoder.encode(chunk, self.device)
        let_go(items)
        return stored_rows(encoder, made, len(chunk), start, where, exact)

    def _decode(self, folder: Path) -> None:
        for name in SPLITS:
            split = self.source.split(name)

            def progress(done: int, total: int, name: SplitName = name) -> None:
                self.report(f"decode {name} images", done, total)

            digests = folder / _originals(name) if len(split.originals) else None
            if self._streams(name):
                self._list(split, folder, progress, digests)
            else:
                decode_images(split, self.source.size, folder / f"{name}.images.npy", progress, self.jobs, digests)
            for file, content in other_files(split, name).items():
                with (folder / file).open("wb") as stream:
                    stream.writelines(content)
        for listed in folder.glob(f"*{DONE}"):
            listed.unlink()

    def _list(self, split: Split, folder: Path, progress: Callable[[int, int], None], digests: Path | None) -> None:
        """Writes the locations of a streamed split's images, and the hash that a file of all decoded images would have."""
        images: Any = split.images
        if not isinstance(images, PlacedImages) or not hasattr(self.source, "read_image"):
            found = type(images).__name__
            raise PluginError(f"the dataset is streamed: found images of type {found}, expected PlacedImages and a read_image")
        if digests and not hasattr(self.source, "read_original"):
            raise PluginError("the dataset is streamed and has originals: found no method read_original, expected one")
        (folder / PLACES).write_bytes(npy(images.places.astype(PLACE)))
        (folder / FILES).write_text(json.dumps(list(images.files)), encoding="utf-8")
        whole, originals = hash_images(split, self.source.size, progress, images.threads)
        (folder / HASH).write_text(whole, encoding="ascii")
        if digests:
            digests.write_bytes(npy(originals))


def _originals(name: SplitName) -> str:
    """The file with the sha256 of each original picture of a split, uint8 [N, 32]."""
    return f"{name}.originals.npy"


# What `decode_images` resumes with.
RESUMED = tuple(file for name in SPLITS for file in (f"{name}.images.npy", f"{name}.images.npy{DONE}", _originals(name)))


def _items(encoder: Encoder, split: Split) -> Any:
    """What an encoder without a base is given of a split."""
    if encoder.modality == "text":
        return split.captions
    return split.originals if reads_originals(encoder) and len(split.originals) else split.images


def _chain(encoder: Encoder) -> list[Encoder]:
    """The encoder, then its bases."""
    return [encoder, *(_chain(encoder.base) if encoder.base is not None else [])]
