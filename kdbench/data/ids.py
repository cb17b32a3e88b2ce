"""Ids of a split's images or captions, read from the dataset when they are first needed: few runs need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import overload

from kdbench.contracts import Modality, Split
from kdbench.errors import PluginError

SHOWN = 3


class Ids(Sequence[str]):
    """The ids of a split that `read` returns; empty if the dataset has none.

    Raises PluginError on the first access if their number is not that of the images or captions, or an id stands twice.
    """

    def __init__(self, read: Callable[[], Split], modality: Modality, name: str) -> None:
        self._read, self._modality, self._name = read, modality, name

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        return self._ids[position]

    @cached_property
    def _ids(self) -> list[str]:
        split = self._read()
        image = self._modality == "image"
        ids = list(split.image_ids if image else split.caption_ids)
        where, count = f"the {self._name} split, {self._modality}_ids", len(split.images if image else split.captions)
        if len(ids) not in (0, count):
            raise PluginError(f"{where}: found {len(ids):,} ids; expected {count:,}, one for each {self._modality}")
        if twice := [one for one, times in Counter(ids).items() if times > 1]:
            shown = ", ".join(map(repr, twice[:SHOWN]))
            raise PluginError(f"{where}: found {len(twice):,} ids more than once, such as {shown}; expected each once")
        return ids
