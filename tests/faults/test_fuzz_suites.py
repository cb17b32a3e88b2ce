"""Overrides and values of suites, 10,000 of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from kdbench.plugins.loading import Plugins
from tests.support.fuzzing import many
from tests.support.suite_inputs import holds_for_overrides, overrides

pytestmark = pytest.mark.fault("an override of a suite with values that nobody expects")


def test_overrides(suite_file: Callable[..., Path], plugins: Plugins) -> None:
    path = suite_file()

    @many
    @given(overrides)
    def check(given: list[str]) -> None:
        holds_for_overrides(path, plugins, given)

    check()
