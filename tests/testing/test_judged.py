"""The kit over datasets with judgments."""

from __future__ import annotations

from kdbench.plugins.loading import installed
from kdbench.testing import Shapes, conform
from kdbench.testing.judged import JudgedShapes, find
from kdbench.testing.retrieval.datasets import PROPERTIES


def test_a_dataset_without_judgments_is_named() -> None:
    assert [finding.property for finding in find(JudgedShapes) if finding.outcome == "fails"] == []
    wrong = [finding.property for finding in find(Shapes) if finding.outcome == "fails"]
    assert wrong == ["queries of the test split have judged positives"]


def test_eccv_caption_conforms() -> None:
    found = conform(installed().find("dataset", "eccv_caption").offer, "dataset")
    assert [finding.outcome for finding in found] == ["holds"] * (len(PROPERTIES) + 1)
