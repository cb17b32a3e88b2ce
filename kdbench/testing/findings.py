"""Findings of the kit about a plugin. A property is a small function that raises Broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeVar

import torch
from torch import Tensor

from kdbench.errors import PluginError, nearest, quoted

Subject = TypeVar("Subject")
Property = Callable[[Subject], str | None]  # a returned text is shown beside "holds"
Waives = Mapping[str, str] | Iterable[str]  # names of properties, optionally with reasons
KNOWN = "waived properties exist"


@dataclass(frozen=True)
class Finding:
    """Whether a property holds. `detail` is the failure, or the reason why the property is waived; `seconds` testing took."""

    property: str
    outcome: Literal["holds", "fails", "waived"]
    detail: str = ""
    seconds: float = field(default=0.0, compare=False)


class Broken(AssertionError):
    """A property does not hold; the message has the input, the value found and the value expected."""


_hear: ContextVar[Callable[[Finding], None] | None] = ContextVar("hear", default=None)


@contextmanager
def hearing(hear: Callable[[Finding], None]) -> Iterator[None]:
    """A context in which `hear` receives every finding of `examine` as soon as its property has been tested."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)


def examine(properties: Mapping[str, Property[Subject]], subject: Subject, waives: Waives = ()) -> list[Finding]:
    """Tests every property that is not waived. Any exception is a failure of that property; the others are still tested."""
    reasons = waives if isinstance(waives, Mapping) else dict.fromkeys(waives, "")
    return [announced(finding) for finding in _found(properties, subject, reasons)]


def announced(finding: Finding) -> Finding:
    """The finding, after the listener of the enclosing `hearing` has received it."""
    if hear := _hear.get():
        hear(finding)
    return finding


def _found(properties: Mapping[str, Property[Subject]], subject: Subject, reasons: Mapping[str, str]) -> Iterator[Finding]:
    for name, holds in properties.items():
        yield Finding(name, "waived", reasons[name]) if name in reasons else _try(name, holds, subject)
    for name in reasons:
        if name not in properties:
            detail = f"{name!r} is waived, but there is no such property; {nearest(name, properties)}"
            yield Finding(KNOWN, "fails", detail)


def _try(name: str, holds: Property[Subject], subject: Subject) -> Finding:
    started = perf_counter()

    def finding(outcome: Literal["holds", "fails"], detail: str) -> Finding:
        return Finding(name, outcome, detail, perf_counter() - started)

    try:
        return finding("holds", holds(subject) or "")
    except (Broken, PluginError) as broken:  # of a property, or of the border that runs call as well
        return finding("fails", str(broken))
    except (Exception, SystemExit) as error:  # any exception of the plugin
        return finding("fails", quoted(error))


def insist(findings: Iterable[Finding]) -> None:
    """Raises AssertionError that lists every failure among the findings."""
    failures = [finding for finding in findings if finding.outcome == "fails"]
    if failures:
        lines = "".join(f"\n  {finding.property}: {finding.detail}" for finding in failures)
        raise AssertionError(f"{len(failures)} of the properties fail:{lines}")


@contextmanager
def one_thread() -> Iterator[None]:
    """A context with one torch thread, which is faster for small tensors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def brief(values: Tensor, limit: int = 12) -> str:
    """The first values of a tensor, with four digits."""
    flat = values.detach().flatten().tolist()
    shown = ", ".join(f"{value:.4g}" for value in flat[:limit])
    more = f", … {len(flat)} in all" if len(flat) > limit else ""
    return f"[{shown}{more}]" + (f" of shape {list(values.shape)}" if values.dim() != 1 else "")


def furthest(found: Tensor, expected: Tensor) -> str:
    """Describes the largest difference between two tensors of one shape."""
    if found.shape != expected.shape:
        return f"found shape {list(found.shape)}, expected {list(expected.shape)}"
    found, expected = found.detach(), expected.detach()
    gap = (found.double() - expected.double()).abs().nan_to_num(nan=float("inf")).flatten()
    position = int(gap.argmax())
    return f"found {float(found.flatten()[position]):.6g}, expected {float(expected.flatten()[position]):.6g}"
