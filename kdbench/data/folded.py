"""A fold of a dataset in cross-validation: the items of all splits, dealt into other splits by concept.

Everything is decoded and encoded once for the whole dataset, split by split as the dataset has them; a fold picks rows. What is
trained, such as a teacher, is trained for each fold: it is cached by `content`, which names the fold.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, Encoder, Split, SplitName
from kdbench.contracts.encoder import is_bound
from kdbench.data.dataset import CachedDataset, Check
from kdbench.data.deal import dealt
from kdbench.data.picked import Picked, PickedRows
from kdbench.data.viewed_captions import ViewedCaptions
from kdbench.data.viewed_images import ViewedImages
from kdbench.errors import KdbenchError
from kdbench.storage.digest import digest_of

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
Ints = NDArray[np.int64]


class Places:
    """Where the items of each split of a fold are in the concatenation of the dataset's own splits, ordered by concept."""

    def __init__(self, splits: Mapping[SplitName, Split], groups: Mapping[int, str], index: int, of: int) -> None:
        images, captions = (
            np.concatenate([np.asarray(getattr(splits[name], f"{what}_concepts")) for name in SPLITS]).astype(np.int64)
            for what in ("image", "caption")
        )
        own = splits["validation"]
        validation = len(np.union1d(own.image_concepts, own.caption_concepts))
        concepts = dealt(np.union1d(images, captions).tolist(), groups, index, of, validation)
        self.images = {name: _places(images, concepts[name]) for name in SPLITS}
        self.captions = {name: _places(captions, concepts[name]) for name in SPLITS}
        self.image_concepts = {name: images[self.images[name]] for name in SPLITS}
        self.caption_concepts = {name: captions[self.captions[name]] for name in SPLITS}

    @property
    def identity(self) -> str:
        """A hash of what is where."""
        return digest_of([[part[name].tolist() for name in SPLITS] for part in (self.images, self.captions)])


def _places(of_items: Ints, concepts: list[int]) -> Ints:
    places = np.flatnonzero(np.isin(of_items, concepts))
    found: Ints = places[np.argsort(of_items[places], kind="stable")]
    return found


class FoldedSource:
    """A fold of a dataset that is not opened: what can be checked without decoding. Implements `Dataset`."""

    def __init__(self, source: Dataset, index: int, of: int) -> None:
        _check(source)
        self.source = source
        self.size, self.licence = source.size, source.licence
        self.fingerprint = digest_of([source.fingerprint, index, of])
        self._own = {name: source.split(name) for name in SPLITS}
        self._places = Places(self._own, groups_of(source), index, of)

    def split(self, name: SplitName) -> Split:
        own = [self._own[one] for one in SPLITS]
        places = self._places
        images, captions = places.images[name], places.captions[name]
        return Split(
            images=Picked([split.images for split in own], images),
            captions=Picked([split.captions for split in own], captions),
            image_concepts=places.image_concepts[name],
            caption_concepts=places.caption_concepts[name],
            sources=_all_or_none([split.sources for split in own], images),
            originals=_all_or_none([split.originals for split in own], images),
            image_ids=_all_or_none([split.image_ids for split in own], images),
            caption_ids=_all_or_none([split.caption_ids for split in own], captions),
        )


class FoldedDataset(CachedDataset):
    """A fold of a dataset as runs use it. `digest` is that of the whole dataset, `content` that of the fold.

    Encoded rows are held in memory: folds are for small datasets.
    """

    def __init__(self, whole: CachedDataset, index: int, of: int) -> None:
        """Raises KdbenchError if the dataset is streamed, or has fewer groups of concepts than there are folds."""
        super().__init__(whole.source, whole.cache, whole.device, whole.report, whole.jobs)
        _check(whole.source)
        self._code, self._maker, self.seconds = whole._code, whole._maker, whole.seconds
        self._whole = whole
        self._splits: dict[SplitName, Split] = {}
        self._places = Places({name: whole.split(name) for name in SPLITS}, groups_of(whole.source), index, of)

    @property
    def content(self) -> str:
        return digest_of([self._whole.content, self._places.identity])

    def originals_digest(self, name: SplitName) -> str | None:  # noqa: ARG002
        """A hash of the original pictures of the whole dataset, None unless every split has some."""
        found = [self._whole.originals_digest(one) for one in SPLITS]
        return digest_of(found) if all(found) else None

    def split(self, name: SplitName) -> Split:
        if name not in self._splits:
            self._splits[name] = self._split(name)
        return self._splits[name]

    def _split(self, name: SplitName) -> Split:
        own = [self._whole.split(one) for one in SPLITS]
        images, captions = self._places.images[name], self._places.captions[name]
        weights: NDArray[np.float64] | tuple[()] = ()
        if any(len(split.caption_weights) for split in own):
            # Relative to other captions of the same concept: in a split without weights, all have the same.
            weights = np.concatenate([_weights(split) for split in own])[captions]
        return Split(
            images=_rows([split.images for split in own], images),
            captions=tuple(self._captions[place] for place in captions.tolist()),
            image_concepts=self._places.image_concepts[name],
            caption_concepts=self._places.caption_concepts[name],
            originals=_all_or_none([split.originals for split in own], images),
            image_ids=_all_or_none([split.image_ids for split in own], images),
            caption_ids=_all_or_none([split.caption_ids for split in own], captions),
            caption_weights=weights,
        )

    def _numbers(self, images: bool) -> Ints:
        """View `v` of a picture is the same in all folds."""
        return (self._places.images if images else self._places.captions)["train"]

    def encode(
        self,
        encoder: Encoder,
        name: SplitName,
        check: Check | None = None,
        exact: bool = False,
        views: ViewedImages | ViewedCaptions | None = None,
    ) -> NDArray[Any]:
        """As for any dataset; computed and stored are the outputs on the whole dataset, or on the views of all of it.

        Not for an encoder that is bound to items of this fold.
        """
        if is_bound(encoder):
            return super().encode(encoder, name, check, exact, views)
        image = encoder.modality == "image"
        places = (self._places.images if image else self._places.captions)[name]
        if views is None:
            found = PickedRows([self._whole.encode(encoder, one, check, exact) for one in SPLITS], places)[:]
        else:
            of_all = self._views_of_images if image else self._views_of_captions
            numbers = np.concatenate([view * self._total(image) + places for view in range(views.views.count)])
            found = PickedRows([self._whole.encode(encoder, "train", check, exact, of_all)], numbers)[:]
        found.flags.writeable = False
        return found

    @property
    def _part(self) -> dict[str, str]:
        return {"fold": self.content}

    @property
    def _pool(self) -> str:
        """Identifies the items of all splits in a row."""
        return f"all splits of {self.digest}"

    @property
    def _views_of_images(self) -> ViewedImages:
        assert self.views is not None
        parts = [self._whole.split(name).images for name in SPLITS]
        return ViewedImages(_rows(parts, np.arange(self._total(True))), self.views, self._pool)

    @property
    def _views_of_captions(self) -> ViewedCaptions:
        assert self.views is not None
        return ViewedCaptions(self._captions, self.views, self._pool)

    @cached_property
    def _captions(self) -> list[str]:
        """The captions of all splits in a row."""
        return [caption for name in SPLITS for caption in self._whole.split(name).captions[:]]

    def _total(self, images: bool) -> int:
        """The number of images, or of captions, of the whole dataset."""
        return sum(map(len, (self._places.images if images else self._places.captions).values()))


def groups_of(source: Dataset) -> dict[int, str]:
    """The groups of concepts that a dataset states, over all splits."""
    return {concept: group for name in SPLITS for concept, group in source.split(name).concept_groups.items()}


def _check(source: Dataset) -> None:
    if getattr(source, "streamed", False):
        raise KdbenchError(
            "folds: found a streamed dataset, whose images are not stored; expected one that is decoded, or no folds"
        )


def _weights(split: Split) -> NDArray[np.float64]:
    return np.asarray(split.caption_weights, dtype=np.float64) if len(split.caption_weights) else np.ones(len(split.captions))


def _rows(parts: list[Any], places: Ints) -> Any:
    """Memory maps are sequences of pictures, too."""
    return PickedRows(parts, places)


def _all_or_none(parts: list[Any], places: Ints) -> Any:
    """What is picked, if every split has some."""
    return Picked(parts, places) if all(len(part) for part in parts) else ()
