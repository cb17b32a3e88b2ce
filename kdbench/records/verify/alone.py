"""What a record shows to be wrong by itself, without its ranks: ids, figures, outcome, times. Quick: leaderboards ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kdbench.records.record import Record
from kdbench.records.verify.problem import Problem
from kdbench.suite.model import Evaluate, Name, Plugged, Term, Train
from kdbench.suite.plan import RunSpec
from kdbench.tasks.retrieval.ranks import retrieval_metrics

EXACT = 1e-9
SIZES = {"images", "captions", "concepts"}
_name = TypeAdapter(Name)


class _Spec(RunSpec):
    """Ids need no copy of the fields, which takes most of the time with thousands of records."""

    def as_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def problems_of(record: Record, where: str, stem: str) -> Iterator[Problem]:
    """`stem` is how its file is called, `where` how a person finds it."""
    try:
        spec = _Spec(**record.spec)
        found = {"run_id": spec.run_id, "cell_id": spec.cell_id, "label": spec.label}
        _name.validate_python(spec.suite, strict=True)
        epochs = Train(**spec.train).epochs if not spec.role else None
        ks = Evaluate(**spec.evaluate).recall_at
        for part in [spec.dataset, spec.student, *spec.team, *([spec.strategy] if spec.strategy else [])]:
            Plugged(**part)
        for term in spec.objective:
            Term(**term)
        team = [teacher["name"] for teacher in spec.team]
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{first['input']!r}: {first['msg']}"
        yield Problem(where, f"spec: {'.'.join(map(str, first['loc'])) or 'suite'}", message, "what a suite may say there")
        return
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        yield Problem(where, "spec", f"{type(error).__name__}: {error}", "the fields of a run, as `kdbench run` writes them")
        return
    for name, expected in found.items():
        stated = getattr(record, name)
        if stated != expected:
            yield Problem(where, f"{name} does not follow from the spec", stated, expected)
    if stem != record.run_id:
        yield Problem(where, "a file name other than its run_id", stem, record.run_id)
    yield from _times(record, where)
    if record.status == "ok":
        yield from _outcome(record, where, epochs, ks, team)
    elif record.metrics or record.ranks_sha256 or record.series_sha256:
        yield Problem(where, f"a {record.status} run with results", ", ".join(record.metrics) or "ranks or a series", "none")


def _times(record: Record, where: str) -> Iterator[Problem]:
    try:
        started, finished = (datetime.fromisoformat(time) for time in (record.started, record.finished))
        ordered = started <= finished
    except (ValueError, TypeError) as error:  # no time; or one with a zone and one without
        times = f"{record.started!r}, {record.finished!r} ({error})"
        yield Problem(where, "started or finished is no time", times, "such as 2025-01-31T08:00:00Z")
        return
    if not ordered:
        yield Problem(where, "finished before it was started", record.finished, f"{record.started} or later")
    for name, seconds in record.timings.items():
        if not 0 <= seconds < float("inf"):
            yield Problem(where, f"timings.{name}", repr(seconds), "seconds, not negative")


def _outcome(record: Record, where: str, epochs: int | None, ks: list[int], team: list[str]) -> Iterator[Problem]:
    sizes = record.sizes
    if set(sizes) != SIZES or not 1 <= sizes["concepts"] <= min(sizes["images"], sizes["captions"]):
        yield Problem(where, "sizes of the test split", repr(sizes), "images, captions and concepts, of which there are fewest")
    for name in ("dataset_digest", "ranks_sha256"):
        if not getattr(record, name):
            yield Problem(where, name, repr(getattr(record, name)), "a sha256, in a record of a run that is ok")
    yield from _figures(record.metrics, ks, where, "metrics")
    if epochs is None:  # a reference: nothing was trained
        return
    yield from _figures(record.validation, ks, where, "validation")
    if record.best_epoch is None or not 1 <= record.best_epoch <= epochs:
        yield Problem(where, "best_epoch", repr(record.best_epoch), f"1 to {epochs}, the epochs of the spec")
    if record.steps is None or record.steps < epochs:
        yield Problem(where, "steps", repr(record.steps), f"at least {epochs}, one an epoch")
    if sorted(record.weights) != sorted(team):
        yield Problem(
            where,
            "weights of another team",
            ", ".join(record.weights) or "none",
            ", ".join(team) or "none: the team is empty",
        )


def _figures(metrics: dict[str, float], ks: Sequence[int], where: str, of: str) -> Iterator[Problem]:
    """Names, ranges, and whether the sums are those of the shares."""
    expected = _expected(tuple(ks))
    if metrics.keys() != expected.keys():
        yield Problem(where, of, ", ".join(metrics) or "none", ", ".join(expected))
        return
    for name, largest in expected.items():
        if not 0 <= metrics[name] <= largest + EXACT:  # false for NaN
            yield Problem(where, f"{of}.{name} is outside its range", repr(metrics[name]), f"0 to {largest:g}")
    shares = [value for name, value in metrics.items() if "@" in name]
    total = 100 * sum(shares)
    for name, value in {"rsum": total, "mean_recall": total / len(shares)}.items():
        if not abs(metrics[name] - value) <= EXACT:
            yield Problem(where, f"{of}.{name} does not follow from the recalls", repr(metrics[name]), repr(value))


@lru_cache
def _expected(ks: tuple[int, ...]) -> dict[str, Any]:
    """What a model without a flaw would score: the greatest value of each metric."""
    return retrieval_metrics(np.ones(1), np.ones(1), ks)
