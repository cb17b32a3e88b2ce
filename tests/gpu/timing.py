"""Milliseconds of work on a device."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch


def wait(device: str) -> None:
    """Returns when the device has done all that was asked of it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def milliseconds(work: Callable[[int], object], device: str, count: int, small: bool = False) -> dict[str, Any]:
    """Of one call, the median of five rounds of `count` calls, each given a number, after three that are not counted.

    `host` is what the process spends before it waits: near `total`, the GPU waits for the process. If `small`, one round after
    one call is enough.
    """
    first, rounds = (1, 1) if small else (3, 5)
    number = iter(range(first + rounds * count))
    for _ in range(first):
        work(next(number))
    wait(device)
    total, host = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(count):
            work(next(number))
        host.append(time.perf_counter() - started)
        wait(device)
        total.append(time.perf_counter() - started)
    return {name: round(1000 * median(one) / count, 3) for name, one in (("total", total), ("host", host))}
