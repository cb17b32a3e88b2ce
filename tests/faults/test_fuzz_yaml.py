"""The reader of suites and of values typed in a command, with 10,000 texts each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.fuzzing import many
from tests.support.yaml_inputs import plain, reads_json, reads_or_refuses, texts

pytestmark = pytest.mark.fault("a strange or damaged suite file")


@many
@given(texts)
def test_any_text(text: str) -> None:
    reads_or_refuses(text)


@many
@given(plain)
def test_json(data: Any) -> None:
    reads_json(data)
