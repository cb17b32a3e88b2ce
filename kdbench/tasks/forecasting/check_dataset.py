"""Checks a dataset of fields: its attributes, shapes and ids. Reads no field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from kdbench.contracts import SplitName
from kdbench.contracts.border import described
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.tasks.forecasting.opened import SPLITS

Problem = tuple[str, str, str]  # where, found, expected


def problems(dataset: object, most_frames: int) -> Iterator[Problem]:
    """Yields what breaks the contract `FieldDataset`."""
    wrong = list(_attributes(dataset, most_frames))
    yield from wrong
    if wrong:
        return
    splits: dict[SplitName, FieldSplit] = {}
    frames = dataset.history + dataset.horizon  # type: ignore[attr-defined]
    for name in SPLITS:
        split: object = dataset.split(name)  # type: ignore[attr-defined]
        found = list(_split(name, split, frames))
        yield from found
        if not found and isinstance(split, FieldSplit):
            splits[name] = split
    shapes = {name: tuple(split.frames.shape[2:]) for name, split in splits.items()}
    for name, shape in shapes.items():
        if shape != shapes[next(iter(shapes))]:
            yield f"{name} split, frames", f"C, H, W = {shape}", f"{shapes[next(iter(shapes))]} in every split"
    for one, other in combinations(splits, 2):
        if shared := sorted(set(splits[one].ids) & set(splits[other].ids)):
            where = f"{other} split, ids"
            yield where, f"{len(shared)} of the {one} split, such as {shared[0]!r}", "trajectories of one split only"
    if "test" in splits and len(set(splits["test"].ids)) == 1:
        yield "test split", "a single trajectory", "at least 2: one has no spread, so no interval can be computed"


def _attributes(dataset: object, most_frames: int) -> Iterator[Problem]:
    for name in ("history", "horizon"):
        value = getattr(dataset, name, None)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most_frames:
            yield name, described(value), f"a number of frames, an int from 1 to {most_frames}"
    for name in ("licence", "fingerprint"):
        value = getattr(dataset, name, None)
        if not isinstance(value, str) or not value.strip():
            yield name, repr(value), "a string that is not empty"


def _split(name: SplitName, split: object, frames: int) -> Iterator[Problem]:
    if not isinstance(split, FieldSplit):
        yield f"split({name!r})", type(split).__name__, "kdbench.tasks.forecasting.fields.FieldSplit"
        return
    shape = tuple(getattr(split.frames, "shape", ()))
    where = f"{name} split, frames"
    if len(shape) != 5 or 0 in shape:
        yield where, f"shape {list(shape)}", "[n, history + horizon, C, H, W], at least one sample"
    elif shape[1] < frames:
        yield where, f"{shape[1]} frames", f"at least {frames}, history + horizon"
    elif len(split.ids) != shape[0]:
        yield f"{name} split, ids", f"{len(split.ids)} entries", f"{shape[0]}, one for each sample"
    elif (apart := _apart(split.ids)) is not None:
        yield f"{name} split, ids", f"{apart!r} in two places", "samples of one trajectory next to each other"


def _apart(ids: Sequence[str]) -> str | None:
    """An id whose samples do not follow each other; None if there is none."""
    seen: set[str] = set()
    for place, one in enumerate(ids):
        if one in seen and ids[place - 1] != one:
            return one
        seen.add(one)
    return None
