"""Configs of students, 10,000 values and 10,000 whole ones, against a slow oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.config_inputs import Change, changes, config_agrees, json_values, keys, types_agree
from tests.support.fuzzing import many

pytestmark = pytest.mark.fault("a config of a student with values that nobody expects")


@many
@given(keys, json_values)
def test_values(where: tuple[str, str], value: Any) -> None:
    types_agree(where, value)


@many
@given(changes)
def test_whole_configs(given: list[Change]) -> None:
    config_agrees(given)
