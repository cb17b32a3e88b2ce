"""`conform` over whole offers: parameters, examples, waivers, and what cannot be built."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from pydantic import Field
from torch import Tensor

from kdbench import KdbenchError, Offer, PluginError, Signal, Teacher
from kdbench.plugins.loading import installed
from kdbench.testing import Shapes, check_dataset, conform
from kdbench.testing.conform import BUILT, KINDS, installed_others
from kdbench.testing.strategies import PROPERTIES
from kdbench_plugins.strategies.equal import Equal


class Power:
    """w ∝ ℓ^-p."""

    def __init__(self, *, p: Annotated[float, Field(ge=0)]) -> None:
        self.p = p

    def weigh(self, signal: Signal) -> Tensor:
        return (-self.p * signal.losses.mean(dim=1).clamp(min=1e-12).log()).softmax(dim=0)


class ByPlace:
    def weigh(self, signal: Signal) -> Tensor:
        return torch.arange(1.0, len(signal.teachers) + 1).softmax(dim=0)


def test_every_property_is_reported_in_order() -> None:
    findings = conform(Offer("power", Power, example={"p": 1.0}), "strategy", others={})
    assert [(finding.property, finding.outcome) for finding in findings] == [
        (BUILT, "holds"),
        *((name, "holds") for name in PROPERTIES),
    ]


def test_parameters_go_before_the_example() -> None:
    offer = Offer("power", Power, example={"p": 1.0})
    [twin] = [f for f in conform(offer, "strategy", {"p": 0.0}, {"equal": Equal}) if f.outcome == "fails"]
    assert (twin.property, twin.detail[:5]) == ("unlike other strategies", "equal")
    assert all(finding.outcome == "holds" for finding in conform(offer, "strategy", {"p": 2.0}, {"equal": Equal}))


def test_a_teacher_is_tested_as_in_a_smoke_run_unless_parameters_are_given() -> None:
    """Its example may download."""

    def build(*, model: str) -> Teacher:
        raise KdbenchError(f"found the model {model}")

    offer = Offer("remote", build, example={"model": "huge"}, smoke=lambda params: params | {"model": "tiny"})
    assert "found the model tiny" in conform(offer, "teacher")[0].detail
    assert "found the model large" in conform(offer, "teacher", {"model": "large"})[0].detail


def test_without_others_the_installed_ones_are_compared() -> None:
    [twin] = [f for f in conform(Offer("same", Equal), "strategy") if f.outcome == "fails"]
    assert (twin.property, twin.detail[:5]) == ("unlike other strategies", "equal")
    assert all(finding.outcome == "holds" for finding in conform(Offer("equal", Equal), "strategy"))
    compared = conform(Offer("power", Power, example={"p": 1.0}), "strategy")[-1]
    assert "equal" in compared.detail
    assert "ammkd" in compared.detail


def test_the_others_are_all_but_itself() -> None:
    others = installed_others("equal")
    assert set(others) == set(installed().offers("strategy")) - {"equal"}
    assert type(others["fixed"]()).__name__ == "Fixed"


def test_a_waived_property_is_told_with_its_reason() -> None:
    offer = Offer("place", ByPlace, waives={"permuting teachers permutes weights": "by place, on purpose"})
    waived = [finding for finding in conform(offer, "strategy", others={}) if finding.outcome == "waived"]
    assert [(f.property, f.detail) for f in waived] == [("permuting teachers permutes weights", "by place, on purpose")]


def test_a_waiver_that_names_no_property_fails() -> None:
    offer = Offer("shapes", Shapes, waives={"the license is named": "a slip of the pen"})
    [failure] = [finding for finding in conform(offer, "dataset") if finding.outcome == "fails"]
    assert "did you mean 'the licence is named'?" in failure.detail


def test_what_cannot_be_built_is_the_only_finding() -> None:
    [finding] = conform(Offer("power", Power), "strategy")
    assert (finding.property, finding.outcome) == (BUILT, "fails")
    assert "Field required" in finding.detail
    assert finding.detail.endswith("needs an `example`")

    def absent() -> Equal:
        raise KdbenchError("install it first")

    [finding] = conform(Offer("absent", absent), "strategy", {})
    assert finding.detail.startswith("raised KdbenchError: install it first (test_conform.py, line ")
    assert "example" not in finding.detail


def test_kinds() -> None:
    assert set(KINDS) == {"task", "dataset", "teacher", "student", "objective", "strategy"}
    with pytest.raises(PluginError, match="there are no properties for the kind 'tracker'; expected one of task, dataset"):
        conform(Offer("bell", Equal), "tracker")
    assert all(finding.outcome == "holds" for finding in conform(Offer("shapes", Shapes), "dataset"))
    check_dataset(Shapes)
