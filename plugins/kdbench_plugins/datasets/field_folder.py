"""The dataset `field_folder`: your own fields over time, in files of numpy, torch, MATLAB, HDF5 or NetCDF."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kdbench import KdbenchError, Offer, SplitName, hookimpl, nearest
from kdbench.tasks.forecasting.fields import FieldDataset, FieldSplit
from kdbench_plugins.datasets.field_axes import Trajectories, check_axes
from kdbench_plugins.datasets.field_files import field_files, trajectories_in
from kdbench_plugins.datasets.field_miniature import AXES, field_miniature
from kdbench_plugins.datasets.field_splits import SPLITS, check_shares, deal
from kdbench_plugins.datasets.field_windows import Place, Windows
from kdbench_plugins.datasets.ondisk import stat_of

FORMAT = 1  # raise when this code returns other fields or another order for the same files
MOST = 10**6  # trajectories: a file of a few bytes may state any number
WHOSE = "dataset field_folder"

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class FieldFolder:
    """`path` is a file or a folder of files of one kind: .npy, .npz, .pt, .mat, .h5, .hdf5 or .nc.

    `key` names the array in a file, or several that are channels; a pattern such as `*/data` matches an array for each
    trajectory. `axes` has a letter for each axis of the array: N (trajectory), T (time), C (channel), H and W, such as NHWT;
    known layouts need none. Trajectories go to the splits in the order of the files, the shares `validation` and `test` last,
    or, with a `seed`, as it draws them.

    Of every trajectory, each `every`-th frame is used. A sample is of `history` frames that are given, `horizon` that are to be
    forecast, and `beyond` more for rollouts; the first starts with the trajectory, others every `stride` frames, if given.
    `miniature` is used instead of files.
    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        key: str | list[str] | None = None,
        axes: str | None = None,
        history: Count = 10,
        horizon: Count = 10,
        beyond: Annotated[int, Field(ge=0)] = 0,
        every: Count = 1,
        stride: Count | None = None,
        validation: Share = 0.1,
        test: Share = 0.1,
        seed: Annotated[int, Field(ge=0)] | None = None,
        licence: str = "not stated",
        miniature: bool = False,
    ) -> None:
        check_axes(axes, WHOSE)
        check_shares(validation, test, WHOSE)
        if miniature:
            path, key, axes = field_miniature(), None, AXES
        self.history, self.horizon, self.licence = history, horizon, licence
        self._length, self._every, self._stride = history + horizon + beyond, every, stride
        self._validation, self._test, self._seed = validation, test, seed
        self._keys = [key] if isinstance(key, str) else key
        self._axes = axes
        self._root, self.files = field_files(path, WHOSE)
        made_of = {
            "dataset": "field_folder",
            "format": FORMAT,
            "files": [(self._name(file), *stat_of(file)) for file in self.files],
            "read": [self._keys, self._axes, history, horizon, beyond, every, stride],
            "splits": [validation, test, seed],
        }
        self.fingerprint = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """How the arrays are read."""
        first = self._parts[0]
        _, frames, channels, height, width = first.shape
        trajectories = sum(part.shape[0] for part in self._parts)
        return (
            f"{', '.join(array.name or array.path.name for array in first.arrays)} read as {first.axes}: {trajectories:,} "
            f"trajectories of {frames:,} frames, {channels} × {height} × {width}",
        )

    def split(self, name: SplitName) -> FieldSplit:
        """One split; its frames are read from the files whenever they are asked for."""
        if name not in SPLITS:
            raise KdbenchError(f"{WHOSE} has no split {name!r}: {nearest(name, SPLITS)}")
        places = self._splits[name]
        frames = Windows(self._parts, places, self._starts, self._length, self._every)
        return FieldSplit(frames, [place.id for place in places for _ in self._starts])

    @cached_property
    def _parts(self) -> list[Trajectories]:
        """The arrays of all files. Raises KdbenchError if their frames differ in shape."""
        parts = [part for file in self.files for part in trajectories_in(file, self._keys, self._axes)]
        expected = parts[0].shape[1:]
        for part in parts:
            if part.shape[1:] != expected:
                first = parts[0].arrays[0].where
                raise KdbenchError(
                    f"{part.arrays[0].where}: found T, C, H, W = {part.shape[1:]}; expected {expected}, as in {first}"
                )
        return parts

    @cached_property
    def _splits(self) -> dict[SplitName, list[Place]]:
        """The trajectories of each split, in the order of the files. Raises KdbenchError if a file states too many."""
        if (count := sum(part.shape[0] for part in self._parts)) > MOST:
            most = max(self._parts, key=lambda part: part.shape[0])
            raise KdbenchError(
                f"{most.arrays[0].where}: found {most.shape[0]:,} trajectories, {count:,} in all; expected at most {MOST:,}"
            )
        places = [
            Place(number, row, f"{'/'.join(filter(None, (self._name(part.arrays[0].path), part.arrays[0].name)))}#{row}")
            for number, part in enumerate(self._parts)
            for row in range(part.shape[0])
        ]
        dealt = deal(len(places), self._validation, self._test, self._seed, str(self._root))
        return {name: [places[place] for place in of] for name, of in dealt.items()}

    @cached_property
    def _starts(self) -> list[int]:
        """The first frames of samples, among those used."""
        found = self._parts[0].shape[1]
        used = -(-found // self._every)
        if used < self._length:
            every = f" (1 in {self._every} of {found})" if self._every > 1 else ""
            raise KdbenchError(
                f"{self._parts[0].arrays[0].where}: found {used} frames in a trajectory{every}; expected at least "
                f"{self._length}, the sum of history, horizon and beyond"
            )
        return list(range(0, used - self._length + 1, self._stride)) if self._stride else [0]

    def _name(self, file: Path) -> str:
        """The path within the folder: a dataset may be moved."""
        return file.name if file == self._root else str(file.relative_to(self._root))


def check(
    *,
    path: Path | None,
    key: str | list[str] | None,
    axes: str | None,
    history: int,
    horizon: int,
    beyond: int,
    every: int,
    stride: int | None,
    validation: float,
    test: float,
    seed: int | None,
    licence: str,  # noqa: ARG001
    miniature: bool,
) -> None:
    """Raises KdbenchError if the files are missing, cannot be read, or do not hold what the parameters say."""
    check_axes(axes, WHOSE)
    if miniature:
        return
    given = {"path": path, "key": key, "axes": axes, "history": history, "horizon": horizon, "beyond": beyond, "every": every}
    FieldFolder(**given, stride=stride, validation=validation, test=test, seed=seed).split("test")  # type: ignore[arg-type]


@hookimpl
def kdbench_datasets() -> list[Offer[FieldDataset]]:
    summary = "your own fields over time, in files of numpy, torch, MATLAB, HDF5 or NetCDF, for forecasting"

    def reads(**params: Any) -> list[Path]:
        return FieldFolder(**params).files

    def smoke(params: dict[str, Any]) -> dict[str, Any]:
        return params | {"path": None, "key": None, "axes": None, "every": 1, "stride": None, "miniature": True}

    return [
        Offer(
            "field_folder",
            FieldFolder,
            summary,
            check,
            reads=reads,
            example={"miniature": True},
            shown={"path": "ns_V1e-3_N5000_T50.mat", "key": "u", "axes": "NHWT"},
            smoke=smoke,
            task="forecasting",
        )
    ]
