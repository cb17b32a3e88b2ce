"""Ranges of a sweep are of numbers that a float holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from kdbench.suite.sweep import Range


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1" * 400, "-" + "1" * 400, "1e999"])
@pytest.mark.parametrize("name", ["low", "high", "step"])
def test_numbers_that_no_float_holds_are_refused(name: str, value: str) -> None:
    """An integer of 400 digits as well: it is found in damaged files, and is no reason for a traceback."""
    given: dict[str, Any] = {"low": 1, "high": 2.5, "step": 1}
    text = json.dumps(given).replace(f'"{name}": {json.dumps(given[name])}', f'"{name}": {value}')
    with pytest.raises(ValidationError, match=f"{name}(.|\n)*finite number"):
        Range.model_validate_json(text)


def test_numbers_stay_as_they_are() -> None:
    made = Range.model_validate_json('{"low": 1, "high": 9007199254740993, "step": 0.5}')
    assert (made.low, made.high, made.step) == (1, 2**53 + 1, 0.5)
    assert isinstance(made.low, int)
