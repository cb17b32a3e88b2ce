"""A dataset without access to the test split, for tuning."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from kdbench.contracts import Encoder, Split, SplitName
from kdbench.data.dataset import CachedDataset, Check
from kdbench.data.viewed_captions import ViewedCaptions
from kdbench.data.viewed_images import ViewedImages


class WithoutTest(CachedDataset):
    """Raises AssertionError on any access to the test split."""

    def split(self, name: SplitName) -> Split:
        _refuse(name)
        return super().split(name)

    def encode(
        self,
        encoder: Encoder,
        name: SplitName,
        check: Check | None = None,
        exact: bool = False,
        views: ViewedImages | ViewedCaptions | None = None,
    ) -> NDArray[Any]:
        _refuse(name)
        return super().encode(encoder, name, check, exact, views)


def _refuse(name: str) -> None:
    if name not in ("train", "validation"):
        raise AssertionError(f"a trial asked for the {name!r} split; tuning sees train and validation")
