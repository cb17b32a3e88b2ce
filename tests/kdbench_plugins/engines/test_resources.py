"""What a piece of work reserves on a cluster, as a person writes it."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench.engines.make import make_engine
from kdbench.plugins.loading import Plugins
from kdbench.suite.yaml_file import parse_scalar
from kdbench_plugins.engines import ray


@pytest.fixture
def plugins() -> Plugins:
    found = Plugins()
    found.register(ray, "kdbench:ray")
    return found


def engine(text: str, plugins: Plugins) -> ray.Ray:
    options: Any = parse_scalar(text, "--resources")
    made = make_engine(plugins, "ray", options, "--resources")
    assert isinstance(made, ray.Ray)
    return made


@pytest.mark.parametrize(
    ("text", "reserved"),
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
def test_amounts(text: str, reserved: tuple[float, float | None, int | None], plugins: Plugins) -> None:
    found = engine(text, plugins)
    assert (found.cpus, found.gpus, found.memory) == reserved


def test_a_gpu_on_cuda_unless_an_amount_is_given() -> None:
    assert [ray.Ray().gpus_on(device) for device in ("cpu", "cuda")] == [0, 1]
    assert [ray.Ray(gpus=0.5).gpus_on(device) for device in ("cpu", "cuda")] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{cpu: 2}", "--resources: cpu\n  found     'cpu'\n  expected  one of .*cpus, gpus, memory\n  did you mean 'cpus'?"),
        ("{cpus: 0}", "--resources: cpus\n  found     0\n  expected  greater than 0"),
        ("{gpus: -1}", "--resources: gpus\n  found     -1\n  expected  greater than or equal to 0"),
        ("{memory: 4 giga}", "--resources: memory\n  found     '4 giga'\n  expected  .*a number of bytes, or one with a unit"),
        ("{memory: 0}", "--resources: memory\n  found     0\n  expected  greater than 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, plugins: Plugins) -> None:
    with pytest.raises(KdbenchError, match=message):
        engine(text, plugins)
