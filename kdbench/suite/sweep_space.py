"""Checks the space of a sweep against its suite: paths must name tunable parameters, and all values must be valid."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from kdbench.contracts import Task
from kdbench.errors import nearest
from kdbench.plugins.loading import Kind
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import Suite
from kdbench.suite.settings import Train
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.suite.sweep import COSTS, Parameter, Range, Settings, Sweep, SweepFile, SweepOptions
from kdbench.suite.yaml_file import YamlPath, path_steps

Plug = Callable[[Kind, dict[str, Any], Diagnostics], PluginSpec | None]  # checks an entry of a suite and adds diagnostics
Try = Callable[[Any, Diagnostics], Any]  # checks a value at its path and returns it as the schema reads it; adds diagnostics
# Settings that do not change the budget: rows with other epochs or batch sizes would not be comparable.
TUNABLE = ("lr", "weight_decay", "warmup", "clip_norm", "distill")


def checked_sweep(file: SweepFile, suite: Suite, task: Task, plug: Plug, diagnostics: Diagnostics) -> Sweep:
    """The checked sweep of a suite or of a variant; adds diagnostics."""
    _check_settings(file, task, diagnostics)
    space = [_common(path, given, suite, plug, diagnostics) for path, given in file.space.items()]
    strategies = {}
    for strategy in suite.strategies:
        here: YamlPath = ("sweep", "strategies", strategy.name)
        given = file.strategies.get(strategy.name, {})
        found = [_of_plugin("strategy", strategy, path, one, (*here, path), plug, diagnostics) for path, one in given.items()]
        strategies[strategy.name] = [parameter for parameter in found if parameter]
    of_students = [
        _of_plugin("student", student, path, given, ("sweep", "student", path), plug, diagnostics)
        for student in suite.students
        for path, given in file.student.items()
    ]
    students = {parameter.path: parameter for parameter in of_students if parameter}
    return Sweep(
        settings=_settings(file, task),
        space=[parameter for parameter in space if parameter],
        strategies=strategies,
        student=list(students.values()),
    )


def check_labels(given: Any, suites: list[Suite], diagnostics: Diagnostics) -> None:
    """Checks that spaces are of strategies in the suite or one of its variants."""
    labels = sorted({strategy.name for suite in suites for strategy in suite.strategies})
    own = given.get("strategies") if isinstance(given, dict) else None
    for label in own if isinstance(own, dict) else ():
        if label not in labels:
            expected = f"the label of a strategy: {', '.join(labels) or 'there is none'}"
            diagnostics.add(("sweep", "strategies", label), label, expected, nearest(label, labels))


def _settings(file: SweepFile, task: Task) -> Settings:
    """The options with the default metric and the directions of all goals."""
    given = {name: getattr(file, name) for name in SweepOptions.model_fields}
    metric = file.metric or task.headline.name
    lower = [one.name for one in task.metrics if not one.higher_is_better and one.name in (file.objectives or [metric])]
    return Settings(**given | {"metric": metric, "minimize": lower})


def _check_settings(file: SweepFile, task: Task, diagnostics: Diagnostics) -> None:
    metrics = [metric.name for metric in task.metrics]
    if file.metric and file.metric not in metrics:
        diagnostics.add(("sweep", "metric"), file.metric, f"one of {', '.join(metrics)}", nearest(file.metric, metrics))
    for position, goal in enumerate(file.objectives):
        known = [*metrics, *COSTS]
        if goal not in known:
            diagnostics.add(("sweep", "objectives", position), goal, f"one of {', '.join(known)}", nearest(goal, known))
        if file.objectives.index(goal) < position:
            diagnostics.add(("sweep", "objectives", position), goal, "each objective once")
    if len(file.objectives) == 1:
        diagnostics.add(("sweep", "objectives"), file.objectives, "two or more; a single one is the `metric`")
    if file.objectives and file.pruner and file.pruner.use != "none":
        diagnostics.add(("sweep", "pruner"), file.pruner.use, "none: Optuna does not prune studies with several objectives")
    if file.student and not file.objectives:
        # Rows are compared for the same student: with a student tuned per strategy, no two rows would be comparable.
        diagnostics.add(
            ("sweep", "student"),
            dict(file.student),
            "`objectives:` beside it: students are traded off, not tuned",
        )
    if not file.space and not file.student and not any(file.strategies.values()):
        diagnostics.add(("sweep",), file.space, "something to tune: `space:`, or `strategies:` with a space of one of them")


def _common(path: str, given: Any, suite: Suite, plug: Plug, diagnostics: Diagnostics) -> Parameter | None:
    """A parameter of every cell's space."""
    where: YamlPath = ("sweep", "space", path)
    head, *rest = path_steps(path)
    places = [f"train.{name}" for name in TUNABLE] + [f"objective[{i}].coefficient" for i in range(len(suite.objective))]
    expected = f"one of {', '.join(places)}, or a parameter of a term: objective[0].NAME"
    if head == "train" and len(rest) == 1 and rest[0] in TUNABLE:
        name = str(rest[0])

        def tried(value: Any, apart: Diagnostics) -> Any:
            try:
                return getattr(Train.model_validate(suite.train.model_dump() | {name: value}), name)
            except ValidationError as error:
                apart.add_validation((), error, {name: value})
                return None

        return _parameter(f"train.{name}", given, where, tried, diagnostics)
    if head == "objective" and len(rest) > 1 and isinstance(rest[0], int) and rest[0] < len(suite.objective):
        term = suite.objective[rest[0]]
        return _of_plugin("objective", term, path, given, where, plug, diagnostics, tuple(rest[1:]))
    diagnostics.add(where, path, expected, nearest(path, places))
    return None


def _of_plugin(
    kind: Kind,
    plugged: PluginSpec,
    path: str,
    given: Any,
    where: YamlPath,
    plug: Plug,
    diagnostics: Diagnostics,
    steps: YamlPath | None = None,
) -> Parameter | None:
    """A parameter of a plugin of the suite."""
    inside = steps or path_steps(path)

    def tried(value: Any, apart: Diagnostics) -> Any:
        entry: dict[str, Any] = {"use": plugged.use, **deepcopy(plugged.params)}
        if isinstance(plugged, TermSpec):
            entry["coefficient"] = plugged.coefficient
        try:
            put(entry, inside, value)
        except (KeyError, IndexError, TypeError):
            apart.add(inside, path, f"a path into the parameters of {plugged.name}", nearest(inside[0], plugged.params))
            return None
        found = plug(kind, entry, apart)
        if found is None:
            return None
        checked: Any = found.params | ({"coefficient": found.coefficient} if isinstance(found, TermSpec) else {})
        for step in inside:
            checked = checked[step]
        return checked

    own = path if steps else f"{kind}.{path}"
    return _parameter(own, given, where, tried, diagnostics)


def put(target: Any, steps: YamlPath, value: Any) -> None:
    """Sets the value at a path. Raises KeyError, IndexError or TypeError if the path does not exist."""
    for step in steps[:-1]:
        target = target[step]
    target[steps[-1]] = value


def _parameter(path: str, given: Any, where: YamlPath, tried: Try, diagnostics: Diagnostics) -> Parameter | None:
    """A range or choices; each value is checked at its path."""
    apart = Diagnostics("", {})
    if isinstance(given, list):
        if len(given) < 2 or any(given.index(one) < position for position, one in enumerate(given)):
            diagnostics.add(where, given, "two or more different choices, or a map with low and high")
            return None
        choices = [tried(value, apart) for value in given]
        diagnostics.add_apart(where, apart)
        return None if apart.found else Parameter(path=path, kind="choice", choices=choices)
    if not isinstance(given, dict):
        diagnostics.add(where, given, "a list of choices, or a map with low and high")
        return None
    try:
        span = Range.model_validate(given)
    except ValidationError as error:
        diagnostics.add_validation(where, error, given, Range.model_fields)
        return None
    if not span.low < span.high:
        diagnostics.add((*where, "high"), span.high, f"more than low, {span.low}")
    elif span.log and span.low <= 0:
        diagnostics.add((*where, "low"), span.low, "more than 0, for a logarithmic scale")
    elif span.log and span.step is not None:
        diagnostics.add((*where, "step"), span.step, "no step on a logarithmic scale")
    else:
        # In the parameter's own type: 0 to 1 for a float is not a choice of two values.
        ends = [tried(end, apart) for end in (span.low, span.high)]
        diagnostics.add_apart(where, apart)
        if apart.found:
            return None
        if any(isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end) for end in ends):
            diagnostics.add(where, given, f"a list of choices: {path} is not a number")
            return None
        whole = all(isinstance(end, int) for end in ends)
        if whole and span.step is not None and not float(span.step).is_integer():
            diagnostics.add((*where, "step"), span.step, f"a whole number, because {path} is one")
            return None
        as_own: Callable[[Any], Any] = int if whole else float
        step = None if span.step is None else as_own(span.step)
        low, high = map(as_own, ends)
        return Parameter(path=path, kind="int" if whole else "float", low=low, high=high, log=span.log, step=step)
    return None
