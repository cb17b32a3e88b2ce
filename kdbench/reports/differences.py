"""What the rows of one table differ in beyond their names: settings that a reader must see to tell them apart."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from kdbench.suite.spec import OPERATIONAL, PluginSpec, RunSpec

BUDGET = frozenset({"epochs", "batch_size"})  # the same in all rows of a table
Settings = dict[str, str]  # path → value, both as a suite writes them


def differences(specs: Sequence[RunSpec], names: Sequence[str]) -> list[Settings]:
    """For each row of a table the settings to show beside its name.

    Those are what untuned rows of one variant differ in, of their training settings, their objective and the plugins of one
    label, and anything else that rows of one name differ in. What variants change is one note (`variants`); a tuner chooses a
    setting for each row.
    """
    shown: list[Settings] = [{} for _ in specs]
    for indices in _by_variant(specs).values():
        _add_varied(shown, {index: _comparable(specs[index]) for index in indices})
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        alike[name, in_words(shown[index])].append(index)
    for indices in alike.values():
        if len(indices) > 1:
            _add_varied(shown, {index: _everything(specs[index]) for index in indices})
    return shown


def in_words(settings: Settings) -> str:
    """`train.lr=0.01, train.precision=bf16`."""
    return ", ".join(f"{path}={value}" for path, value in settings.items())


def note(shown: Sequence[Settings]) -> str:
    """States that rows differ in training settings that were set by hand; empty if they do not."""
    values: dict[str, list[str]] = defaultdict(list)
    for settings in shown:
        for path, value in settings.items():
            if path.startswith("train.") and value not in values[path]:
                values[path].append(value)
    if not values:
        return ""
    told = "; ".join(f"{path} ({', '.join(sorted(found))})" for path, found in sorted(values.items()))
    return (
        f"rows differ in {told}: choosing between them by these figures is tuning on the test split; "
        "`kdbench sweep` tunes on validation"
    )


def variants(specs: Sequence[RunSpec]) -> str:
    """States what the variants of a table change, as rows are named after variants only; empty without several.

    A value that most of them share is told once, at the end.
    """
    groups: dict[str, Settings] = {}
    for variant, indices in sorted(_by_variant(specs).items()):
        groups[variant] = {path: value for index in indices for path, value in _comparable(specs[index]).items()}
    changed: list[Settings] = [{} for _ in groups]
    _add_varied(changed, dict(enumerate(groups.values())))
    usual = _usual(changed)
    own = [{path: value for path, value in found.items() if usual.get(path) != value} for found in changed]
    told = [f"{name or 'rows without one'} ({in_words(found)})" for name, found in zip(groups, own, strict=True) if found]
    told += [f"otherwise {in_words(usual)}"] if usual else []
    return f"variants differ in their settings: {'; '.join(told)}" if told else ""


def _usual(several: Sequence[Settings]) -> Settings:
    """By path the value of more than half of those that have the setting."""
    values: dict[str, list[str]] = defaultdict(list)
    for found in several:
        for path, value in found.items():
            values[path].append(value)
    common = {path: Counter(found).most_common(1)[0] for path, found in values.items()}
    return {path: value for path, (value, count) in common.items() if 2 * count > len(values[path])}


def _by_variant(specs: Sequence[RunSpec]) -> dict[str, list[int]]:
    """The indices of the untuned rows of each variant."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, spec in enumerate(specs):
        if not spec.tuning:
            found[spec.variant].append(index)
    return found


def _add_varied(shown: list[Settings], settings: Mapping[int, Settings]) -> None:
    """Adds those settings that the rows with the same setting differ in."""
    paths = dict.fromkeys(path for found in settings.values() for path in found)
    for path in paths:
        if len({found[path] for found in settings.values() if path in found}) > 1:
            for index, found in settings.items():
                if path in found:
                    shown[index][path] = found[path]


def _training(spec: RunSpec) -> Settings:
    """Training settings outside the budget, and the objective; of a row without teachers, those that have an effect."""
    if spec.train is None:
        return {}
    left_out = OPERATIONAL | BUDGET | ({"distill"} if not spec.team else set())
    found = {f"train.{name}": _text(value) for name, value in spec.train if name not in left_out}
    found |= _stages(spec) | {"evaluate.every": _text(spec.evaluate.every)}
    return found | ({"objective": _objective(spec)} if spec.team else {})


def _comparable(spec: RunSpec) -> Settings:
    """What rows of one table are expected to share: training settings, and the plugins that one label means."""
    return _training(spec) | _plugins(spec)


def _plugins(spec: RunSpec) -> Settings:
    found: Settings = {}
    for teacher in spec.team:
        found |= _plugin(f"teachers.{teacher.name}", teacher)
    return found | (_plugin(f"strategy {spec.strategy.name}", spec.strategy) if spec.strategy else {})


def _stages(spec: RunSpec) -> Settings:
    """What stages change, by key, one value for each; of a row without teachers or with one, what has an effect."""
    useless = {"settings"} | ({"distill", "objective"} if not spec.team else set())
    useless |= {"strategy"} if len(spec.team) < 2 else set()
    stated = [stage.settings.model_dump() | stage.canonical for stage in spec.stages]
    keys = dict.fromkeys(key for stage in stated for key in stage if key not in useless)
    return {f"train.stages.{key}": _text([stage.get(key) for stage in stated]) for key in keys}


def _everything(spec: RunSpec) -> Settings:
    """Everything that two rows of one name may differ in; the same keys for both."""
    found = {**_comparable(spec), "evaluate.batch_size": _text(spec.evaluate.batch_size)}
    if spec.reference:
        found |= _plugin(f"teachers.{spec.student.name}", spec.student)
    return found | {"dataset": _text({"name": spec.dataset.name, **spec.dataset.plain})}


def _plugin(where: str, spec: PluginSpec) -> Settings:
    found = {f"{where}.use": spec.use, f"{where}.version": _text(spec.version)}
    return found | {f"{where}.{name}": _text(value) for name, value in spec.params.items()}


def _objective(spec: RunSpec) -> str:
    return " + ".join(f"{term.coefficient:g} {term.name}{_given(term)}" for term in spec.objective)


def _given(term: PluginSpec) -> str:
    given = term.canonical["params"]
    return f" ({', '.join(f'{name} {_text(value)}' for name, value in given.items())})" if given else ""


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
