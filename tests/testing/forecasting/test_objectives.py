"""The kit over objectives of forecasting: wrong ones, of which it names the property that they break."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from kdbench import Offer
from kdbench.testing import conform
from kdbench.testing.forecasting.objectives import PROPERTIES, find
from kdbench_plugins.objectives.field_feature import FieldFeature
from kdbench_plugins.objectives.field_mse import FieldMse


class Summed(FieldMse):
    """One number for the batch."""

    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:
        return super().losses(student, teacher, head, batch).mean()


class Still(FieldMse):
    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:
        found: Tensor = super().losses(student, teacher, head, batch).detach() + 0 * student.frames.sum()
        return found


class Shifted(FieldMse):
    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:
        return super().losses(student, teacher, head, batch) + 1


class Shared(FieldMse):
    """Every sample has the batch's loss."""

    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:
        found = super().losses(student, teacher, head, batch)
        return found.mean().expand_as(found)


class Changing(FieldMse):
    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:
        teacher.frames.mul_(0.5)
        return super().losses(student, teacher, head, batch)


class Deep(FieldFeature):
    def internal_head(self, student: Any, teacher: Any) -> nn.Module:
        return nn.Sequential(super().internal_head(student, teacher), nn.Tanh(), nn.Conv2d(teacher["maps"][0][0], 2, 1))


def failures(build: Any) -> set[str]:
    return {finding.property for finding in find(build) if finding.outcome == "fails"}


@pytest.mark.parametrize("build", [FieldMse, FieldFeature])
def test_right_ones_have_all_properties(build: Any) -> None:
    assert failures(build) == set()


@pytest.mark.parametrize(
    ("build", "broken"),
    [
        (Summed, "one finite loss per sample"),
        (Still, "moves the student"),
        (Shifted, "zero where teacher and student agree"),
        (Shared, "zero for each sample that agrees"),
        (Changing, "inputs untouched"),
        (Deep, "zero where teacher and student agree"),
    ],
)
def test_a_broken_property_is_named(build: Any, broken: str) -> None:
    assert broken in failures(build)


def test_properties_of_a_further_task_are_named_and_waived_by_it() -> None:
    waives = {"forecasting: gradient": "for the test", "moves the student": "for the test"}
    offer = Offer("field_mse", FieldMse, task="forecasting", also=("forecasting",), waives=waives)
    found = {finding.property: finding.outcome for finding in conform(offer, "objective")}
    assert found["gradient"] == found["forecasting: moves the student"] == "holds"
    assert found["moves the student"] == found["forecasting: gradient"] == "waived"
    assert len(found) == 1 + 2 * len(PROPERTIES)
