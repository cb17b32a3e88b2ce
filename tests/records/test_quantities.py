from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from kdbench.records.quantities import Amount, Figure


@pytest.mark.parametrize("value", [1e101, -1e101, float("inf"), float("nan"), "5", True])
def test_what_is_no_figure(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Figure).validate_python(value)


@pytest.mark.parametrize("value", [1e101, -0.1, float("nan")])
def test_what_is_no_amount(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Amount).validate_python(value)


def test_what_is_one() -> None:
    assert [TypeAdapter(Figure).validate_python(value) for value in (-1e100, 0, 3.4e38)] == [-1e100, 0, 3.4e38]
