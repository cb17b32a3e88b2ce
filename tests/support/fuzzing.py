"""How many inputs a fuzzer tries: a share in `make test`, 10,000 in `make faults`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
some = settings(max_examples=100, suppress_health_check=SLOW)
many = settings(max_examples=10_000, suppress_health_check=SLOW)
