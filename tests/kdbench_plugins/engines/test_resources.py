"""What a task asks of a cluster, as a person writes it."""

from __future__ import annotations

import pytest

from kdbench import KdbenchError
from kdbench.engines.resources import Resources, parse_resources


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("{}", (1.0, None, None)),
        ("{cpus: 2}", (2.0, None, None)),
        ("{cpus: 0.5, gpus: 0.25}", (0.5, 0.25, None)),
        ("{memory: 4GB}", (1.0, None, 4 * 10**9)),
        ("{memory: 1.5 GiB}", (1.0, None, 3 * 2**29)),
        ("{memory: 1000}", (1.0, None, 1000)),
        ("{memory: '1000'}", (1.0, None, 1000)),
        ("{gpus: 0}", (1.0, 0.0, None)),
    ],
)
def test_parse(text: str, asked: tuple[float, float | None, int | None]) -> None:
    found = parse_resources(text)
    assert (found.cpus, found.gpus, found.memory) == asked


def test_a_gpu_unless_told_otherwise() -> None:
    assert [Resources().gpus_on(device) for device in ("cpu", "cuda")] == [0, 1]
    assert [Resources(gpus=0.5).gpus_on(device) for device in ("cpu", "cuda")] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "--resources: found '4', expected a map such as"),
        ("{cpu: 2}", "--resources: cpu\n  found     'cpu'\n  expected  one of cpus, gpus, memory\n  did you mean 'cpus'?"),
        ("{cpus: 0}", "--resources: cpus\n  found     0\n  expected  greater than 0"),
        ("{gpus: -1}", "--resources: gpus\n  found     -1\n  expected  greater than or equal to 0"),
        ("{memory: 4 giga}", "--resources: memory\n  found     '4 giga'\n  expected  .*a number of bytes, or one with a unit"),
        ("{memory: 0}", "--resources: memory\n  found     0\n  expected  greater than 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        parse_resources(text)
