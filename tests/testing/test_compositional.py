"""The kit over datasets of right and wrong captions."""

from __future__ import annotations

from dataclasses import replace

from kdbench import Split, SplitName
from kdbench.plugins.loading import installed
from kdbench.testing import conform
from kdbench.testing.compositional import Swapped, find
from kdbench.testing.retrieval.datasets import PROPERTIES


class Unpaired(Swapped):
    """A retrieval dataset: every caption is one of an image."""

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        return replace(found, caption_concepts=found.image_concepts.repeat(2)) if name == "test" else found


def test_captions_that_are_no_pairs_are_named() -> None:
    assert [finding.property for finding in find(Swapped) if finding.outcome == "fails"] == []
    wrong = [finding.property for finding in find(Unpaired) if finding.outcome == "fails"]
    assert wrong == ["test captions are pairs, a right and a wrong one of an image"]


def test_sugarcrepe_conforms() -> None:
    found = conform(installed().find("dataset", "sugarcrepe").offer, "dataset")
    assert [finding.outcome for finding in found] == ["holds"] * (len(PROPERTIES) + 1)
