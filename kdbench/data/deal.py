"""Deals the concepts of a dataset into the splits of a fold. In all folds together, every concept is tested exactly once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from kdbench.contracts import SplitName
from kdbench.errors import KdbenchError


def dealt(
    concepts: Iterable[int], groups: Mapping[int, str], index: int, of: int, validation: int
) -> dict[SplitName, list[int]]:
    """The concepts of each split of fold `index`, counted from 0, of `of` folds, ascending.

    Concepts of one group (see `Split.concept_groups`) stay together. `test` is the fold's part; `validation` takes groups of
    the parts that follow until it has that many concepts; `train` has the rest. Parts differ by few concepts in size, and
    depend on nothing but the concepts and their groups. Raises KdbenchError if there are fewer groups than folds.
    """
    members: dict[str, list[int]] = {}
    for concept in sorted(set(concepts)):
        members.setdefault(groups.get(concept, f"concept {concept}"), []).append(concept)
    parts = _parts(Counter({name: len(some) for name, some in members.items()}), of)
    rest = [name for step in range(1, of) for name in parts[(index + step) % of]]
    count = taken = 0
    while taken < len(rest) and count < validation:
        count += len(members[rest[taken]])
        taken += 1
    chosen: dict[SplitName, list[str]] = {"train": rest[taken:], "validation": rest[:taken], "test": parts[index]}
    return {name: sorted(concept for one in some for concept in members[one]) for name, some in chosen.items()}


def _parts(sizes: Mapping[str, int], of: int) -> list[list[str]]:
    """The groups of each part, in the order of their hashes. Large ones first, each goes to the part with fewest concepts."""
    if len(sizes) < of:
        raise KdbenchError(f"folds: found {of}; expected at most {len(sizes)}, the groups of concepts that the dataset has")
    parts: list[list[str]] = [[] for _ in range(of)]
    filled = [0] * of
    for name in sorted(sizes, key=lambda name: (-sizes[name], _hash(name))):
        part = filled.index(min(filled))
        parts[part].append(name)
        filled[part] += sizes[name]
    return [sorted(part, key=_hash) for part in parts]


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
