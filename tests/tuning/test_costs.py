"""Costs of a trial's student."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.plugins.building import building_with
from kdbench.tuning.costs import costs_of
from tests.support.toys import plugged, run_context, run_spec, toy


@pytest.mark.parametrize("width", [4, 9])
def test_costs_are_those_of_the_profile(tmp_path: Path, width: int) -> None:
    """Of the toys by hand: linear towers of 108 and 18 inputs, with biases, and a logit scale."""
    context, spec = run_context(tmp_path), run_spec((), student=plugged("toy", width=width))
    task = context.task(spec.task)
    with building_with(context.plugins):
        data = task.without_test(context.open(task, spec.dataset, ""))
        found = costs_of(toy(width=width), task, data, context, ["parameters", "flops", "latency"])
        assert found["parameters"] == (108 + 1 + 18 + 1) * width + 1
        assert found["flops"] == 2 * (108 + 18) * width
        assert 0 < found["latency"] < 1000
        assert costs_of(toy(width=width), task, data, context, []) == {}
        with pytest.raises(ValueError, match="cost 'weight'; expected one of latency, flops, parameters"):
            costs_of(toy(width=width), task, data, context, ["weight"])
