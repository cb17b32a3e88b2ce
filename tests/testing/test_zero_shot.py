"""The kit over datasets of classes: right ones, and wrong ones, of which it names the property that they break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdbench import Split, SplitName
from kdbench.plugins.loading import installed
from kdbench.testing import Shapes, conform
from kdbench.testing.retrieval.datasets import PROPERTIES
from kdbench.testing.zero_shot import find

EMPTY = Split((), (), np.zeros(0, np.int64), np.zeros(0, np.int64))


class Alone(Shapes):
    """It has a test split alone."""

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        return found if name == "test" else EMPTY


class Unprompted(Alone):
    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        return replace(found, captions=found.captions[2:], caption_concepts=found.caption_concepts[2:])


def failures(dataset: type[Alone]) -> list[str]:
    return [finding.property for finding in find(dataset) if finding.outcome == "fails"]


def test_a_test_split_is_enough() -> None:
    assert failures(Alone) == []
    assert len(find(Alone)) == len(PROPERTIES)


def test_a_class_without_prompt_is_named() -> None:
    assert failures(Unprompted) == ["every test image is of a class with a prompt, every class has an image"]


def test_class_folders_conforms() -> None:
    found = conform(installed().find("dataset", "class_folders").offer, "dataset")
    assert [finding.outcome for finding in found] == ["holds"] * (len(PROPERTIES) + 1)
