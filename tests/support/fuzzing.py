"""How many inputs a fuzzer tries: a share in `make test`, 10,000 in `make faults`, which counts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
some = settings(max_examples=100, suppress_health_check=SLOW, deadline=None)
tried = 0  # inputs of the test that runs


def trying(examples: int) -> Callable[[Any], Any]:
    """A decorator beside `given`: that many inputs, each of which counts as tried."""
    chosen = settings(max_examples=examples, suppress_health_check=SLOW, deadline=None)

    def decorated(test: Any) -> Any:
        if hasattr(test, "hypothesis"):
            test.hypothesis.inner_test = _counting(test.hypothesis.inner_test)
            return chosen(test)
        return chosen(_counting(test))

    return decorated


def _counting(test: Callable[..., object]) -> Callable[..., object]:
    @wraps(test)
    def counted(*arguments: Any, **named: Any) -> object:
        global tried
        tried += 1
        return test(*arguments, **named)

    return counted


many = trying(10_000)
