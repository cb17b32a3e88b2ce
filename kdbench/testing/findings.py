"""Findings of the kit about a plugin. A property is a small function that raises Broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from kdbench.errors import nearest, quoted

Subject = TypeVar("Subject")
Property = Callable[[Subject], str | None]  # a returned text is shown beside "holds"
Waives = Mapping[str, str] | Iterable[str]  # names of properties, optionally with reasons
KNOWN = "waived properties exist"


@dataclass(frozen=True)
class Finding:
    """Whether a property holds. `detail` is the failure, or the reason why the property is waived."""

    property: str
    outcome: Literal["holds", "fails", "waived"]
    detail: str = ""


class Broken(AssertionError):
    """A property does not hold; the message has the input, the value found and the value expected."""


def examine(properties: Mapping[str, Property[Subject]], subject: Subject, waives: Waives = ()) -> list[Finding]:
    """Tests every property that is not waived. Any exception is a failure of that property; the others are still tested."""
    reasons = waives if isinstance(waives, Mapping) else dict.fromkeys(waives, "")
    findings = [
        Finding(name, "waived", reasons[name]) if name in reasons else _try(name, holds, subject)
        for name, holds in properties.items()
    ]
    for name in reasons:
        if name not in properties:
            detail = f"{name!r} is waived, but there is no such property; {nearest(name, properties)}"
            findings.append(Finding(KNOWN, "fails", detail))
    return findings


def _try(name: str, holds: Property[Subject], subject: Subject) -> Finding:
    try:
        return Finding(name, "holds", holds(subject) or "")
    except Broken as broken:
        return Finding(name, "fails", str(broken))
    except Exception as error:  # any exception of the plugin
        return Finding(name, "fails", quoted(error))


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
