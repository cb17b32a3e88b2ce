"""The properties of a dataset of fields, tested with a few samples of each split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.memory_map import take
from kdbench.tasks.forecasting.check_dataset import problems
from kdbench.tasks.forecasting.fields import FieldDataset
from kdbench.tasks.forecasting.opened import SPLITS
from kdbench.tasks.forecasting.task import MOST_FRAMES
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine

Build = Callable[[], FieldDataset]
LOOKS = 4  # samples read per split


def valid(build: Build) -> None:
    """Attributes, shapes and ids are valid; no trajectory is in two splits."""
    for where, found, expected in problems(build(), MOST_FRAMES):
        raise Broken(f"{where}: found {found}, expected {expected}")


def finite(build: Build) -> None:
    """Frames are float32 and finite."""
    dataset = build()
    for name in SPLITS:
        frames = dataset.split(name).frames
        found = frames[:LOOKS]
        if found.dtype != np.float32 or found.shape != (min(LOOKS, len(frames)), *frames.shape[1:]):
            raise Broken(f"{name}: found {found.dtype} of shape {list(found.shape)}, expected float32 of the shape it states")
        if not np.isfinite(found).all():
            raise Broken(f"{name}: found a value that is not finite in the first {LOOKS} samples")


def repeatable(build: Build) -> None:
    """Samples read again, one by one and in another order, are the same."""
    dataset = build()
    for name in SPLITS:
        split = dataset.split(name)
        places = np.arange(min(LOOKS, len(split.frames)))
        first, again = take(split.frames, places), take(dataset.split(name).frames, places[::-1].copy())[::-1]
        alone = np.concatenate([split.frames[place : place + 1] for place in places.tolist()])
        for how, found in (("in reverse order", again), ("one by one", alone)):
            if not np.array_equal(found, first):
                raise Broken(f"{name}: found other fields {how}, expected the same")


def equal_builds(build: Build) -> None:
    """Two builds have equal fingerprints, ids and fields."""
    one, other = build(), build()
    if one.fingerprint != other.fingerprint:
        raise Broken(f"fingerprints: found {one.fingerprint!r} and {other.fingerprint!r}, expected the same words twice")
    for name in SPLITS:
        ours, theirs = one.split(name), other.split(name)
        if list(ours.ids) != list(theirs.ids) or not np.array_equal(_first(ours.frames), _first(theirs.frames)):
            raise Broken(f"{name}: two builds differ, and their fingerprints do not")


def unknown_split(build: Build) -> None:
    """An unknown split raises an error."""
    unknown: Any = "no such split"
    try:
        build().split(unknown)
    except Exception:
        return
    raise Broken(f"split({unknown!r}) returned a split, expected an error with the names of the splits")


PROPERTIES: dict[str, Property[Build]] = {
    "attributes, shapes and ids are valid": valid,
    "frames are finite float32": finite,
    "samples read again are the same": repeatable,
    "two builds are equal": equal_builds,
    "an unknown split is refused": unknown_split,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a dataset."""
    return examine(PROPERTIES, build, waives)


def _first(frames: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = frames[:LOOKS]
    return found
