"""Problems of a record without other files: ids, metrics, outcome, times. Fast, because leaderboards run these checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from kdbench.contracts import Metric, Task
from kdbench.contracts.names import EXPECTED, NAME, OR_NONE, WORD
from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.suite.spec import RunSpec

EXACT = 1e-9


def problems_of(record: Record, where: str, stem: str, plugins: Plugins | None) -> Iterator[Problem]:
    """Yields the problems of a record. `stem` is its file name without `.json`, `where` the file's name in messages.

    `plugins` offer its task, by default the installed ones.
    """
    for name, expected in record.ids.items():
        stated = getattr(record, name)
        if stated != expected:
            yield Problem(where, f"{name} does not follow from the spec", stated, expected)
    if stem != record.run_id:
        yield Problem(where, "a file name that differs from its run_id", stem, record.run_id)
    yield from _names(record.spec, where)
    yield from _times(record, where)
    if record.status == "ok":
        try:
            task = task_of(record.spec.task, plugins)
        except RecordError as error:
            yield Problem(where, "a task that cannot be used here", str(error), "a task that a plugin offers")
            return
        yield from _outcome(record, where, task)
    elif record.metrics or record.arrays_sha256 or record.trace_sha256:
        yield Problem(where, f"a {record.status} run with results", ", ".join(record.metrics) or "arrays or a trace", "none")


def _names(spec: RunSpec, where: str) -> Iterator[Problem]:
    """Names that no suite could have given (`kdbench.contracts.names`)."""
    named = {"dataset": spec.dataset, "student": spec.student, "strategy": spec.strategy}
    named |= {f"team[{place}]": teacher for place, teacher in enumerate(spec.team)}
    given = {"suite": (spec.suite, WORD), "variant": (spec.variant, OR_NONE)}
    given |= {f"{part}.name": (one.name, NAME) for part, one in named.items() if one}
    for part, (name, rule) in given.items():
        if not re.fullmatch(rule, name):
            yield Problem(where, f"spec.{part} is no name", repr(name), EXPECTED[rule])


def _times(record: Record, where: str) -> Iterator[Problem]:
    try:
        started, finished = (datetime.fromisoformat(time) for time in (record.started, record.finished))
        ordered = started <= finished
    except (ValueError, TypeError) as error:  # not a time, or one with and one without a zone
        times = f"{record.started!r}, {record.finished!r} ({error})"
        yield Problem(where, "started or finished is not a time", times, "such as 2025-01-31T08:00:00Z")
        return
    if not ordered:
        yield Problem(
            where, "finished before it was started", record.finished, f"{record.started} or later; `kdbench run` repeats it"
        )
    for block in ("timings", "encodings"):
        for name, seconds in getattr(record, block).items():
            if not 0 <= seconds < float("inf"):
                yield Problem(where, f"{block}.{name}", repr(seconds), "seconds, not negative")
    if record.peak_mb is not None and not 0 <= record.peak_mb < float("inf"):
        yield Problem(where, "peak_mb", repr(record.peak_mb), "10⁶ bytes, not negative")


def _outcome(record: Record, where: str, task: Task) -> Iterator[Problem]:
    spec, sizes = record.spec, record.sizes
    if not sizes or min(sizes.values()) < 1:
        yield Problem(where, "sizes of the test split", repr(sizes), "one or more of everything that the task counts")
        return
    yield from (Problem(where, *problem) for problem in task.record_problems({}, sizes))
    for name in ("dataset_digest", "arrays_sha256"):
        if not getattr(record, name):
            yield Problem(where, name, repr(getattr(record, name)), "a sha256, in a record of a run that is ok")
    yield from _figures(record.metrics, task, where, "metrics")
    if spec.train is None:  # a reference: nothing was trained
        return
    if spec.trained_on is None:
        yield from _figures(record.validation, task, where, "validation")
    elif record.validation:  # of another run, by another dataset
        yield Problem(where, "validation", ", ".join(record.validation), "none, in a record of a student trained elsewhere")
    epochs, first = spec.epochs, spec.epochs - spec.trainings[-1].epochs + 1
    if record.best_epoch is None or not first <= record.best_epoch <= epochs:
        which = "the last stage's epochs" if spec.stages else "the epochs of the spec"
        yield Problem(where, "best_epoch", repr(record.best_epoch), f"{first} to {epochs}, {which}")
    if record.steps is None or record.steps < epochs:
        yield Problem(where, "steps", repr(record.steps), f"at least {epochs}, one an epoch")
    if sorted(record.weights) != sorted(spec.teachers):
        found, expected = ", ".join(record.weights) or "none", ", ".join(spec.teachers) or "none: the team is empty"
        yield Problem(where, "weights of another team", found, expected)


def _figures(metrics: Mapping[str, float], task: Task, where: str, of: str) -> Iterator[Problem]:
    """Checks names, ranges, and the task's own rules for metrics."""
    known = {metric.name: metric for metric in task.metrics}
    required = {name for name, metric in known.items() if metric.required or metric.headline}
    if not required <= metrics.keys() <= known.keys():
        yield Problem(where, of, ", ".join(metrics) or "none", ", ".join(known))
        return
    for metric in (known[name] for name in metrics):
        low, high = _range(metric)
        # A metric without bounds must still be finite, and NaN is never within bounds.
        if not low - EXACT <= metrics[metric.name] <= high + EXACT or abs(metrics[metric.name]) == float("inf"):
            found = repr(metrics[metric.name])
            yield Problem(where, f"{of}.{metric.name} is outside its range", found, f"{low:g} to {high:g}")
    for what, found, expected in task.record_problems(metrics, {}):
        yield Problem(where, f"{of}.{what}", found, expected)


def _range(metric: Metric) -> tuple[float, float]:
    """Bounds of raw values, infinite if a metric is unbounded."""
    low, high = (metric.worst, metric.best) if metric.higher_is_better else (metric.best, metric.worst)
    return -float("inf") if low is None else low, float("inf") if high is None else high
