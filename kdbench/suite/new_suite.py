"""Writes a suite from a few choices, which are presets or plugins with their example parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kdbench.contracts.names import EXPECTED, WORD
from kdbench.errors import SuiteError, nearest
from kdbench.plugins.loading import Kind, Plugins
from kdbench.suite import shipped
from kdbench.suite.extends import read_extended
from kdbench.suite.yaml_file import dump

EXAMPLE = re.compile(r"teacher\d+")  # how examples of strategies, and the conformance kit, name teachers


@dataclass(frozen=True)
class Choices:
    """The choices for a new suite.

    `dataset` and `strategies` are plugins. `student` is a preset under students/ or a plugin, `teachers` one preset under
    teachers/ or plugins; `training` is a preset under training/.
    """

    dataset: str = "emoji"
    student: str = "resnet-48px"
    teachers: tuple[str, ...] = ("efficientnet-lite",)
    strategies: tuple[str, ...] = ("equal", "ammkd")
    training: str = "emoji"
    seeds: tuple[int, ...] = (0, 1, 2)


def known(part: str, kind: Kind, dataset: str, plugins: Plugins) -> list[str]:
    """The options for a part of a suite: presets first, then plugins for the task of its dataset."""
    listed = plugins.offers("dataset").get(dataset)
    offers = plugins.offers(kind).items()
    return [*_presets(part), *(name for name, one in offers if listed is None or one.offer.task == listed.offer.task)]


def write_suite(name: str, choices: Choices, folder: Path, plugins: Plugins) -> Path:
    """Writes NAME.yaml. Raises SuiteError if it exists already, or if the name or a choice is none."""
    if not re.fullmatch(WORD, name):
        raise SuiteError(f"the name of the suite: found {name!r}; expected {EXPECTED[WORD]}")
    path = folder / f"{name}{shipped.SUFFIX}"
    text = suite_text(name, choices, plugins)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SuiteError(f"{path} exists already; choose another name or remove it first") from None
    return path


def suite_text(name: str, choices: Choices, plugins: Plugins) -> str:
    """The suite as YAML. Raises SuiteError with the nearest name if a choice is unknown."""
    extends: list[str] = []
    teachers = list(choices.teachers)
    parts: dict[str, Any] = {"seeds": list(choices.seeds), "datasets": [_entry("dataset", choices.dataset, plugins)]}
    options = partial(known, dataset=choices.dataset, plugins=plugins)
    if choices.student in _presets("students"):
        extends.append(f"students/{choices.student}")
    else:
        parts["students"] = [_entry("student", choices.student, plugins, options("students", "student"))]
    if len(choices.teachers) == 1 and choices.teachers[0] in _presets("teachers"):
        extends.append(f"teachers/{choices.teachers[0]}")
        teachers = list(read_extended(_presets("teachers")[choices.teachers[0]]).data["teachers"])
    else:
        parts["teachers"] = {one: _entry("teacher", one, plugins, options("teachers", "teacher")) for one in choices.teachers}
        parts["teams"] = _teams(list(parts["teachers"]))
    if choices.training not in _presets("training"):
        raise _unknown("training", choices.training, _presets("training"))
    extends.append(f"training/{choices.training}")
    weighted = [_entry("strategy", one, plugins, teachers=teachers) for one in choices.strategies]
    if len(teachers) > 1:  # a team of one takes no strategy
        parts["strategies"] = weighted
    taught = " and ".join(choices.teachers)
    head = {"name": name, "description": f"{taught} into {choices.student} on {choices.dataset}.", "extends": extends}
    blocks = [dump(head), *(dump({key: value}) for key, value in parts.items())]
    about = f"# `kdbench check {name}.yaml --resolved` shows this suite with its presets filled in.\n"
    return about + "\n".join(blocks)


def _teams(teachers: list[str]) -> list[list[str]]:
    """Teams: no distillation, each teacher alone, and all teachers."""
    return [[], *([one] for one in teachers), *([teachers] if len(teachers) > 1 else [])]


def _entry(
    kind: Kind, name: str, plugins: Plugins, options: Sequence[str] = (), teachers: Sequence[str] = ()
) -> dict[str, Any] | str:
    """A plugin with its example parameters; maps that name teachers in the example name those of the suite.

    `options` are told of if there is no such plugin; by default all of the kind.
    """
    offers = plugins.offers(kind)
    if name not in offers:
        raise _unknown(kind, name, options or list(offers))
    example = {key: _by_teacher(value, teachers) for key, value in offers[name].offer.example.items()}
    return {"use": name, **example} if example or kind in ("dataset", "student") else name


def _by_teacher(value: Any, teachers: Sequence[str]) -> Any:
    """`{teacher0: 1.0, teacher1: 2.0, …}` of an example, with these teachers for keys."""
    if not isinstance(value, dict) or not value or not all(EXAMPLE.fullmatch(str(key)) for key in value):
        return value
    values = list(value.values())
    return {teacher: values[place % len(values)] for place, teacher in enumerate(teachers)}


def _presets(part: str) -> dict[str, Path]:
    found = shipped.presets()
    return {name.removeprefix(f"{part}/"): path for name, path in found.items() if name.startswith(f"{part}/")}


def _unknown(what: str, name: str, names: Sequence[str] | dict[str, Path]) -> SuiteError:
    return SuiteError(f"{what}: found {name!r}, expected one of {', '.join(names)}; {nearest(name, names)}")
