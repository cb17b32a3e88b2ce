"""The augmented views of all captions of a split: words are left out, as a function of the caption and the view's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.digest import digest_of
from kdbench.suite.settings import Views

FORMAT = 1  # raise when the same settings mean other words


class ViewedCaptions(Sequence[str]):
    """All views of M captions: row v·M + j is view v of caption j, without each of its words with probability `drop_words`.

    At least one word stays (random deletion of Wei and Zou, EMNLP 2019). Words are separated by white space, of which a single
    space stays. `dataset` identifies the captions, and `numbers` [M] are those of the captions in it, by default 0 to M - 1.
    """

    def __init__(self, captions: Sequence[str], views: Views, dataset: str, numbers: NDArray[np.int64] | None = None) -> None:
        self.captions, self.views, self.numbers = captions, views, numbers
        drawn_by = digest_of([FORMAT, dataset, views.drop_words])
        self.identity = digest_of([drawn_by, views.count, *([] if numbers is None else [numbers.tolist()])])
        self._key = int(drawn_by[:32], 16)

    def __len__(self) -> int:
        return self.views.count * len(self.captions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"view {index} of {len(self)}")
        view, caption = divmod(index % len(self), len(self.captions))
        return self._view(self.captions[caption], caption if self.numbers is None else int(self.numbers[caption]), view)

    def _view(self, text: str, caption: int, view: int) -> str:
        words = text.split()
        rng = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, view, caption]))
        kept = rng.random(len(words)) >= self.views.drop_words
        if not kept.any() and len(words):
            kept[rng.integers(len(words))] = True
        return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)
