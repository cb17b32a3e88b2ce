"""Images and captions of a test split as a person looks at them, and what a model retrieves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts.dataset import Split
from kdbench.contracts.encoder import reads_originals
from kdbench.contracts.shown import Found, Hit, Item, Shown
from kdbench.contracts.task import Queries
from kdbench.tasks.retrieval.one_way import score_matrix

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

ABOUT = 5  # captions that are named beside a picture


class ShownPairs(Shown):
    """The test split of `data`: of an opened dataset, or of one that is not (`Dataset`), which has no `outputs`.

    `queries` are the task's: captions by which images are retrieved, then images by which captions are.
    """

    def __init__(self, data: Any, queries: Sequence[Queries]) -> None:
        self._data = data
        self._split: Split = data.split("test")
        self._by_text, self._by_image = queries

    def query(self, of: Queries, index: int) -> Item:
        return self._caption(index) if of.array == "image" else self._image(index)

    def candidate(self, of: Queries, position: int) -> Item:
        return self._image(position) if of.array == "image" else self._caption(position)

    def right(self, of: Queries, index: int) -> Sequence[int]:
        places: list[int] = np.flatnonzero(self._positive(of, index)).tolist()
        return places

    def outputs(self, model: Any, batch_size: int, device: str) -> Arrays:
        from kdbench.tasks.retrieval.embeddings import encode_split, student_embeddings
        from kdbench.tasks.retrieval.task import Retrieval
        from kdbench.tasks.retrieval.teachers import own_embeddings

        if hasattr(model, "module"):
            images, captions = student_embeddings(model, encode_split(self._data, model, "test"), batch_size, device)
        else:
            images, captions = own_embeddings(self._data, model, "test", Retrieval())
        return {"images": images, "captions": captions}

    def top(self, outputs: Arrays, of: Queries, index: int, most: int) -> Sequence[Hit]:
        queries, candidates = (outputs[name] for name in _sides(of))
        scores = score_matrix(queries[index : index + 1], candidates)[0]
        return _best(scores, self._positive(of, index), most)

    def search(self, student: Any, outputs: Arrays, query: str | Path, most: int) -> Found:
        import torch

        from kdbench.data.picture_file import read_picture_file, square
        from kdbench.tasks.retrieval.parts import encoded

        if isinstance(query, str):
            item, of = Item("text", query), self._by_text
            encoder, encode = student.texts, student.module.encode_text
            asked: Any = [query]
        else:
            picture = read_picture_file(query)
            item, of = Item(query.name, picture=lambda: picture), self._by_image
            encoder, encode = student.images, student.module.encode_image
            whole = bool(len(self._split.originals)) and reads_originals(encoder)
            size = getattr(self._data, "source", self._data).size
            asked = [picture] if whole else square(picture, size)[None]
        with torch.no_grad():
            vector = encode(encoded(encoder, asked)).float().numpy()
        scores = score_matrix(vector, outputs[_sides(of)[1]])[0]
        return Found(of, item, _best(scores, np.zeros(len(scores), dtype=np.bool_), most))

    def _image(self, place: int) -> Item:
        split = self._split
        fitting = np.flatnonzero(np.asarray(split.caption_concepts) == split.image_concepts[place])
        about = [split.captions[caption] for caption in fitting[:ABOUT].tolist()]
        return Item(self._name(place), about=about, picture=lambda: np.asarray(split.images[place]))

    def _caption(self, place: int) -> Item:
        split = self._split
        first = int(np.flatnonzero(np.asarray(split.image_concepts) == split.caption_concepts[place])[0])
        return Item(f"caption {place}", split.captions[place], picture=lambda: np.asarray(split.images[first]))

    def _name(self, place: int) -> str:
        """The id of an image, the last part of its file, or its position."""
        return PurePath(self._names[place]).name if len(self._names) else f"image {place}"

    @cached_property
    def _names(self) -> Sequence[str]:
        """Ids or files of all images; none if they are not known."""
        split = self._split
        if len(split.image_ids) or len(split.sources):
            return split.image_ids if len(split.image_ids) else split.sources
        own = getattr(self._data, "source", self._data).split("test")  # another split, if the data is a fold
        sources: Sequence[str] = own.sources if np.array_equal(own.image_concepts, split.image_concepts) else ()
        return sources

    def _positive(self, of: Queries, index: int) -> NDArray[np.bool_]:
        sides = np.asarray(self._split.caption_concepts), np.asarray(self._split.image_concepts)
        queries, candidates = sides if of.array == "image" else sides[::-1]
        found: NDArray[np.bool_] = candidates == queries[index]
        return found


def _sides(of: Queries) -> tuple[str, str]:
    """The outputs of queries and of their candidates."""
    return ("captions", "images") if of.array == "image" else ("images", "captions")


def _best(scores: NDArray[np.float32], positive: NDArray[np.bool_], most: int) -> list[Hit]:
    """The highest scores. A tie counts against the model, as in retrieval ranks: what is wrong comes first."""
    order = np.lexsort((positive, -scores))[:most]
    return [Hit(int(place), float(scores[place])) for place in order]
