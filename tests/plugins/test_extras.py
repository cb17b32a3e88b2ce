"""Which optional extras are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.plugins.extras import extras


def test_what_is_missing_is_named(distribution: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    site = distribution("acme", "")
    lines = [
        "Provides-Extra: full",
        "Provides-Extra: none",
        "Provides-Extra: here",
        'Requires-Dist: numpy>=1; extra == "full"',
        "Requires-Dist: no-such-thing[x]>=3; extra == 'full'",
        "Requires-Dist: numpy; extra == 'here' and python_version > '3'",
        "Requires-Dist: another-missing",
    ]
    metadata = site / "acme-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text() + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(site)
    assert extras("acme") == {"full": ["no-such-thing"], "none": [], "here": []}


def test_a_distribution_that_is_not_there() -> None:
    assert extras("no-such-thing") == {}


def test_kdbench_has_those_of_its_project_file() -> None:
    assert {"quickstart", "onnx", "ray", "dev"} <= extras("kdbench").keys()
