"""The kit over datasets of fields: a right one, and wrong ones, of which it names the property that they break."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdbench import SplitName
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.testing.forecasting.datasets import PROPERTIES, find
from kdbench.testing.forecasting.waves import Waves


class Small(Waves):
    def __init__(self) -> None:
        super().__init__(grid=(4, 4))


class Leaking(Small):
    """Every split has the trajectories of the test split."""

    def split(self, name: SplitName) -> FieldSplit:
        return super().split("test" if name == "validation" else name)


class Exact(Small):
    def split(self, name: SplitName) -> FieldSplit:
        found = super().split(name)
        return replace(found, frames=found.frames.astype(np.float64))


class Endless(Small):
    def split(self, name: SplitName) -> FieldSplit:
        found = super().split(name)
        return replace(found, frames=found.frames / np.float32(0))


class Noisy(Small):
    """New noise whenever it is read."""

    def split(self, name: SplitName) -> FieldSplit:
        found = super().split(name)
        noise = np.random.default_rng().normal(size=found.frames.shape).astype(np.float32)
        return replace(found, frames=found.frames + noise)


class Stamped(Small):
    """Another fingerprint whenever it is built."""

    count = 0

    def __init__(self) -> None:
        super().__init__()
        Stamped.count += 1
        self.fingerprint = f"build {self.count}"


class Obliging(Small):
    def split(self, name: Any) -> FieldSplit:
        return super().split(name if name in ("train", "validation", "test") else "test")


def test_waves_have_all_properties() -> None:
    assert [(finding.property, finding.outcome) for finding in find(Small)] == [(name, "holds") for name in PROPERTIES]


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize(
    ("dataset", "broken"),
    [
        (Leaking, {"attributes, shapes and ids are valid"}),
        (Exact, {"frames are finite float32"}),
        (Endless, {"frames are finite float32"}),
        (Noisy, {"samples read again are the same", "two builds are equal"}),
        (Stamped, {"two builds are equal"}),
        (Obliging, {"an unknown split is refused"}),
    ],
)
def test_a_broken_property_is_named(dataset: type[Small], broken: set[str]) -> None:
    assert {finding.property for finding in find(dataset) if finding.outcome == "fails"} == broken
