"""How the kit tries properties and tells what it found."""

from __future__ import annotations

import pytest
import torch

from kdbench.testing.findings import KNOWN, Broken, Finding, brief, examine, furthest, hearing, insist, one_thread


def even(number: int) -> None:
    if number % 2:
        raise Broken(f"found {number}, expected an even number")


def small(number: int) -> str:
    if number > 10:
        raise ValueError(f"{number} is too much for me")
    return f"{number} is small"


PROPERTIES = {"is even": even, "is small": small}


def test_what_holds_and_what_it_has_to_say() -> None:
    assert examine(PROPERTIES, 4) == [Finding("is even", "holds"), Finding("is small", "holds", "4 is small")]


def test_one_failure_does_not_hide_the_next() -> None:
    found = examine(PROPERTIES, 11)
    assert [(finding.property, finding.outcome) for finding in found] == [("is even", "fails"), ("is small", "fails")]
    assert found[0].detail == "found 11, expected an even number"
    assert found[1].detail.startswith("raised ValueError: 11 is too much for me (test_findings.py, line ")


def test_a_waived_property_is_not_run() -> None:
    found = examine(PROPERTIES | {"explodes": lambda _: pytest.fail("it was run")}, 4, {"explodes": "by design"})
    assert found[-1] == Finding("explodes", "waived", "by design")
    assert examine(PROPERTIES, 11, ["is even"])[0] == Finding("is even", "waived", "")


def test_a_waiver_of_nothing_is_a_failure_that_names_the_nearest() -> None:
    [finding] = [finding for finding in examine(PROPERTIES, 4, {"is evn": "a slip"}) if finding.outcome == "fails"]
    assert finding.property == KNOWN
    assert "'is evn'" in finding.detail
    assert "did you mean 'is even'?" in finding.detail


def test_insisting_lists_every_failure() -> None:
    insist(examine(PROPERTIES, 4))
    insist(examine(PROPERTIES, 11, ["is even", "is small"]))
    with pytest.raises(AssertionError) as error:
        insist(examine(PROPERTIES, 11))
    assert str(error.value).startswith("2 of the properties fail:\n  is even: found 11, expected an even number\n  is small: ")


def test_tensors_are_told_briefly() -> None:
    assert brief(torch.tensor([1.0, 0.25])) == "[1, 0.25]"
    assert brief(torch.ones(2, 2)) == "[1, 1, 1, 1] of shape [2, 2]"
    assert brief(torch.zeros(20)).endswith(", … 20 in all]")
    assert furthest(torch.tensor([1.0, 5.0]), torch.tensor([1.5, 2.0])) == "found 5, expected 2"
    assert furthest(torch.tensor([9.0, float("nan")]), torch.tensor([1.0, 2.0])) == "found nan, expected 2"
    assert furthest(torch.ones(2), torch.ones(3)) == "found shape [2], expected [3]"


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_findings_are_heard_one_by_one_with_their_times() -> None:
    """Each before the next property is tested, also waived ones and unknown waivers."""
    order: list[str] = []

    def first(_: object) -> None:
        order.append("first tested")

    def second(_: object) -> None:
        order.append("second tested")
        raise Broken("no")

    heard: list[Finding] = []

    def hear(finding: Finding) -> None:
        order.append(f"{finding.property} heard")
        heard.append(finding)

    with hearing(hear):
        found = examine({"first": first, "second": second, "third": first}, None, {"third": "why", "fourth": ""})
    assert order == ["first tested", "first heard", "second tested", "second heard", "third heard", f"{KNOWN} heard"]
    assert heard == found
    assert [finding.outcome for finding in found] == ["holds", "fails", "waived", "fails"]
    assert all(finding.seconds >= 0 for finding in found)
    examine({"first": first}, None)
    assert len(heard) == 4  # there is no listener outside of it
