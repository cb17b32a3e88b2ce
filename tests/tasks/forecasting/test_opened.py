"""Fields in the cache: the same values, read once, under a digest of what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import PluginError, SplitName
from kdbench.contracts.task import WithoutTest
from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.testing.forecasting.waves import Waves

SMALL = (8, 8)


class Counted(Waves):
    """Waves that count how often they are read, some of them changed."""

    def __init__(self, change: Callable[[np.ndarray], np.ndarray] = lambda frames: frames) -> None:
        super().__init__(grid=SMALL)
        self.change, self.reads = change, 0

    def split(self, name: SplitName) -> FieldSplit:
        self.reads += 1
        found = super().split(name)
        return FieldSplit(self.change(found.frames), found.ids)


def opened(folder: Path, dataset: Waves) -> OpenedFields:
    return OpenedFields(dataset, Cache(folder), "cpu", lambda *_: None)


def test_fields_are_read_once_and_mapped(tmp_path: Path) -> None:
    source = Counted()
    data = opened(tmp_path, source)
    for name in ("train", "validation", "test"):
        split, expected = data.split(name), Waves(grid=SMALL).split(name)
        assert isinstance(split.frames, np.memmap)
        assert np.array_equal(split.frames, expected.frames)
        assert list(split.ids) == list(expected.ids)
    assert source.reads == 3
    again = Counted()
    other = opened(tmp_path, again)
    assert (other.digest, other.scale, again.reads) == (data.digest, data.scale, 0)
    frames = np.array(data.split("train").frames, np.float64)
    assert data.scale.mean == pytest.approx([frames.mean()])
    assert (data.licence, data.encodings) == ("CC0", {})


def test_the_digest_follows_the_fields(tmp_path: Path) -> None:
    changed = opened(tmp_path / "b", Counted(lambda frames: frames * np.float32(1.001)))
    assert opened(tmp_path / "a", Counted()).digest != changed.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda frames: frames.astype(np.float64),
            r"split\('train'\).frames\[0:24\]: found .*float64.*expected float32 of shape",
        ),
        (lambda frames: np.where(frames == frames[5, 0, 0, 0, 0], np.float32("nan"), frames), "not finite in sample 5"),
    ],
)
def test_wrong_fields_are_refused(tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        opened(tmp_path, Counted(change)).split("train")


def test_a_withheld_test_split_is_not_encoded(tmp_path: Path) -> None:
    hidden: Any = WithoutTest(opened(tmp_path, Waves(grid=SMALL)))
    assert len(encoded(hidden, "validation").frames) == 8
    with pytest.raises(AssertionError, match="test"):
        encoded(hidden, "test")
