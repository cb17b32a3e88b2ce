"""A dataset of fields as runs use it: every split read once, into memory maps in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import SplitName
from kdbench.contracts.border import described, refused
from kdbench.contracts.task import Report
from kdbench.data.encoding import CHUNK, DONE, Compute, write_rows
from kdbench.storage.cache import Cache, Entry
from kdbench.storage.digest import digest_of
from kdbench.storage.maker import code_behind, made_by, maker
from kdbench.storage.memory_map import let_go
from kdbench.tasks.forecasting.fields import FieldDataset, FieldSplit
from kdbench.tasks.forecasting.scale import Scale

FORMAT = 1
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
SCALE = "scale.json"
RESUMED = tuple(f"{name}.frames.npy{suffix}" for name in SPLITS for suffix in ("", DONE))


@dataclass(frozen=True)
class EncodedFields:
    """A split as students read it: frames [n, history + horizon, C, H, W] in the units of the data, and their scale."""

    frames: Any  # read-only memory map, or an array
    ids: Sequence[str]  # n, the trajectory of each sample
    history: int
    horizon: int
    scale: Scale


class OpenedFields:
    """Implements `Data` for a `FieldDataset`. `seconds` maps the folder of each opened cache entry to the seconds that making
    it took."""

    def __init__(self, dataset: FieldDataset, cache: Cache, device: str, report: Report) -> None:
        self.source, self.cache, self.device, self.report = dataset, cache, device, report
        self.history, self.horizon = dataset.history, dataset.horizon
        self.seconds: dict[Path, float] = {}
        self._code, self._maker = code_behind(dataset), maker()

    @cached_property
    def entry(self) -> Entry:
        """The cache entry of all frames; reading resumes after a stop."""
        identity = {"format": FORMAT, "fields": self.source.fingerprint, **self._code}
        with made_by(self._maker):
            return self.cache.entry("datasets", identity, self._read, RESUMED)

    @property
    def digest(self) -> str:
        """A hash of all frames and ids. The scale follows from them, to the rounding of a machine."""
        return digest_of({name: file["sha256"] for name, file in self.entry.files.items() if name != SCALE})

    @property
    def licence(self) -> str:
        return self.source.licence

    @property
    def encodings(self) -> dict[str, float]:
        """Seconds that making each opened cache entry of a teacher took, by the first 12 digits of its key."""
        return {folder.name[:12]: round(seconds, 3) for folder, seconds in self.seconds.items()}

    @cached_property
    def scale(self) -> Scale:
        return Scale(**json.loads((self.entry.folder / SCALE).read_text(encoding="utf-8")))

    def split(self, name: SplitName) -> FieldSplit:
        folder = self.entry.folder
        ids = json.loads((folder / f"{name}.ids.json").read_text(encoding="utf-8"))
        return FieldSplit(np.load(folder / f"{name}.frames.npy", mmap_mode="r"), ids)

    def _read(self, folder: Path) -> None:
        for name in SPLITS:
            split = self.source.split(name)
            (folder / f"{name}.ids.json").write_text(json.dumps(list(split.ids)), encoding="utf-8")
            path, compute = folder / f"{name}.frames.npy", checked_frames(self.source, name, split)
            report = partial(self.report, f"read {name} fields")
            write_rows(path, len(split.frames), compute, report, getattr(split.frames, "block", CHUNK))
        scale = Scale.of(chunks(np.load(folder / "train.frames.npy", mmap_mode="r")))
        (folder / SCALE).write_text(json.dumps(asdict(scale)), encoding="utf-8")


def checked_frames(dataset: FieldDataset, name: SplitName, split: FieldSplit) -> Compute:
    """Reads the frames of samples from `start` to `stop`. Raises PluginError if they break the contract `Frames`."""
    shape = list(split.frames.shape[1:])

    def compute(start: int, stop: int) -> NDArray[Any]:
        values = split.frames[start:stop]
        where = f"split({name!r}).frames[{start}:{stop}]"
        expected = [min(stop, len(split.frames)) - start, *shape]
        if not isinstance(values, np.ndarray) or values.dtype != np.float32 or list(values.shape) != expected:
            raise refused(dataset, where, described(values), f"float32 of shape {expected}")
        wrong = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if wrong.any():
            found = f"a value that is not finite in sample {start + int(wrong.argmax())}"
            raise refused(dataset, where, found, "finite numbers")
        return values

    return compute


def encoded(data: OpenedFields, name: SplitName) -> EncodedFields:
    """A split as students read it; of data that withhold the test split, an error for this one."""
    split = data.split(name)
    return EncodedFields(split.frames, split.ids, data.history, data.horizon, data.scale)


def chunks(frames: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Frames in order, few samples at a time; releases the pages of a memory map behind them."""
    for start in range(0, len(frames), CHUNK):
        yield frames[start : start + CHUNK]
        let_go(frames)
