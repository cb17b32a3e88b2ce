"""What one run is: frozen, typed, the same from the suite to the leaderboard.

A run's id is a hash of its canonical form, version 2: everything that can change the outcome, labels included, without
what equals its pinned default. A new parameter, setting or option with a default therefore changes no id. The defaults
of a plugin's parameters travel with its spec, so that ids can be recomputed where the plugin is not installed; a plugin
that changes a default raises its `Offer.version`, which is part of the form.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kdbench.contracts.values import JsonObject
from kdbench.storage.digest import digest_of
from kdbench.suite.settings import Evaluate, Train

SPEC_VERSION: Literal[2] = 2  # raise when the same spec comes to mean another computation
# Settings that do not define the computation. More devices sum in another order, and dropout and batch statistics differ
# between them, but a run may start on one device and finish on eight.
OPERATIONAL = frozenset({"checkpoint_every", "devices"})
# Defaults of the core's settings when they were introduced. Never edited: a default that changes leaves its pin behind.
PINNED: dict[str, JsonObject] = {
    "train": {
        "epochs": 30,
        "batch_size": 256,
        "lr": 1e-3,
        "weight_decay": 0.1,
        "warmup": 0.1,
        "clip_norm": 1.0,
        "distill": 1.0,
        "precision": "auto",
    },
    "evaluate": {"every": 1, "batch_size": 256},
}


class Frozen(BaseModel):
    """An immutable value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with other fields. Unlike `model_copy`, it does not inherit what was derived from the old ones."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)


class PluginSpec(Frozen):
    """A plugin as a run uses it: its label, the offer's name, all its parameters.

    `defaults` are those of its parameters when the suite was checked, by dotted path where a parameter holds another
    plugin (`student.width`); `version` is the offer's.
    """

    name: str
    use: str
    params: JsonObject = {}
    defaults: JsonObject = {}
    version: Annotated[int, Field(strict=True, ge=1)] = 1

    @cached_property
    def canonical(self) -> JsonObject:
        """Without parameters that equal their default."""
        form: JsonObject = {"name": self.name, "use": self.use, "params": without_defaults(self.params, self.defaults)}
        return form | ({"version": self.version} if self.version != 1 else {})

    @property
    def plain(self) -> JsonObject:
        """The offer's name and all parameters, whatever the label."""
        return {"use": self.use, "params": self.params}

    def same_as(self, plain: JsonObject) -> bool:
        """Whether `plain` (see there), written perhaps before a parameter was added, means the same plugin."""
        return bool(plain) and {**self.canonical, "name": ""} == {
            "name": "",
            "use": plain.get("use"),
            "params": without_defaults(plain.get("params") or {}, self.defaults),
            **({"version": self.version} if self.version != 1 else {}),
        }


class TermSpec(PluginSpec):
    """A term of the objective."""

    coefficient: Annotated[float, Field(strict=True, allow_inf_nan=False)] = 1.0

    @cached_property
    def canonical(self) -> JsonObject:
        form = super().canonical
        return form | ({"coefficient": self.coefficient} if self.coefficient != 1.0 else {})


class Tuning(Frozen):
    """How a run's parameters were found."""

    split: str
    trials: Annotated[int, Field(strict=True, ge=1)]
    metric: str


class RunSpec(Frozen):
    """One cell of the grid with its seed.

    A run without teachers has no objective, and one with fewer than two teachers no strategy, whatever the suite says:
    that is one row, not many. A reference is a teacher evaluated without training: it stands in `student`, and `train` is
    None.
    """

    version: Literal[2] = SPEC_VERSION
    suite: str
    task: PluginSpec
    dataset: PluginSpec
    student: PluginSpec
    team: tuple[PluginSpec, ...] = ()
    strategy: PluginSpec | None = None
    objective: tuple[TermSpec, ...] = ()
    train: Train | None
    evaluate: Evaluate
    seed: Annotated[int, Field(strict=True, ge=0)]
    variant: str = ""  # of the suite
    role: Literal["", "reference"] = ""
    smoke: Annotated[bool, Field(strict=True)] = False  # shows that the machinery works; never published
    tuning: Tuning | None = None  # None: parameters are the suite's own

    @cached_property
    def run_id(self) -> str:
        """12 hexadecimal digits."""
        return digest_of({**self._cell, "seed": self.seed})[:12]

    @cached_property
    def cell_id(self) -> str:
        """The same for all seeds of a cell."""
        return digest_of(self._cell)[:12]

    @cached_property
    def _cell(self) -> JsonObject:
        """The canonical form without the seed."""
        form: JsonObject = {
            "version": self.version,
            "suite": self.suite,
            "task": self.task.canonical,
            "dataset": self.dataset.canonical,
            "student": self.student.canonical,
            "team": [teacher.canonical for teacher in self.team],
            "strategy": self.strategy.canonical if self.strategy else None,
            "objective": [term.canonical for term in self.objective],
            "train": settings_form("train", self.train) if self.train else None,
            "evaluate": settings_form("evaluate", self.evaluate),
            "variant": self.variant,
            "role": self.role,
            "smoke": self.smoke,
            "tuning": self.tuning.model_dump() if self.tuning else None,
        }
        # Empty fields are left out, so that blocks added later change no id.
        return {name: value for name, value in form.items() if value not in ("", None, False, [], {})}

    @property
    def teachers(self) -> tuple[str, ...]:
        """The labels of its team."""
        return tuple(teacher.name for teacher in self.team)

    @property
    def reference(self) -> bool:
        """Whether it evaluates a teacher itself."""
        return self.role == "reference"

    @property
    def cell_label(self) -> str:
        """How a person recognises the cell."""
        if self.reference:
            return f"{self.student.name} · teacher itself"
        parts = [self.variant, self.student.name, "+".join(self.teachers) or "no distillation"]
        return " · ".join(part for part in [*parts, self.strategy.name if self.strategy else ""] if part)

    @property
    def label(self) -> str:
        """How a person recognises the run."""
        return self.cell_label if self.reference else f"{self.cell_label} · seed {self.seed}"

    def disagreement(self, other: RunSpec) -> str:
        """Where two specs with one id differ in what both have: a default that changed without a new version; "" if nowhere."""
        pairs = [(self.dataset, other.dataset), (self.student, other.student), *zip(self.team, other.team, strict=False)]
        pairs += list(zip(self.objective, other.objective, strict=False))
        pairs += [(self.strategy, other.strategy)] if self.strategy and other.strategy else []
        for one, its in pairs:
            for name in one.params.keys() & its.params.keys():
                if one.params[name] != its.params[name] and not isinstance(one.params[name], dict):
                    return f"{one.use}.{name}: {its.params[name]!r} then, {one.params[name]!r} now"
        return ""


def settings_form(block: str, settings: BaseModel) -> JsonObject:
    """A block of the core's settings without operational ones and those at their pinned default."""
    pins = {name: field.default for name, field in type(settings).model_fields.items()} | PINNED[block]
    values = settings.model_dump()
    return {name: value for name, value in values.items() if name not in OPERATIONAL and value != pins[name]}


def without_defaults(params: JsonObject, defaults: JsonObject, prefix: str = "") -> JsonObject:
    """Parameters less those that equal their default; a nested plugin keeps its `use`."""
    kept: JsonObject = {}
    for name, value in params.items():
        path = prefix + name
        if path in defaults and _same(value, defaults[path]):
            continue
        nested = isinstance(value, dict) and "use" in value
        kept[name] = without_defaults(value, defaults, f"{path}.") if nested else value
    return kept


def _same(value: Any, default: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)
