"""The spec of a run: frozen and typed, used from the suite to the leaderboard.

A run's id is a hash of its canonical form, version 2: everything that can change the outcome, labels included, without values
that equal their pinned default. New parameters, settings or options with a default therefore change no id. A spec stores the
defaults of its plugins' parameters, hence ids can be recomputed where a plugin is not installed. A plugin that changes a
default must raise its `Offer.version`, which is part of the canonical form.
"""

from __future__ import annotations

import marshal
import math
from collections.abc import Sequence
from copy import deepcopy
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from kdbench.contracts.values import JsonObject
from kdbench.storage.digest import canonical_json, digest_of, digest_of_fields
from kdbench.suite.race import RaceDesign
from kdbench.suite.settings import Evaluate, StageSettings, Train

SPEC_VERSION: Literal[2] = 2  # raise when the same spec means another computation
# Settings that are not part of an id. More devices sum in another order, and dropout and batch statistics differ between them,
# but a run may start on one device and finish on eight.
OPERATIONAL = frozenset({"checkpoint_every", "devices"})
# Defaults of the core's settings when they were introduced. Never edit them: a changed default keeps its pinned value here.
PINNED: dict[str, JsonObject] = {
    "train": {
        "epochs": 30,
        "batch_size": 256,
        "lr": 1e-3,
        "weight_decay": 0.1,
        "warmup": 0.1,
        "clip_norm": 1.0,
        "distill": 1.0,
        "micro_batch": None,
        "lr_scale": {},
        "task": 1.0,
        "loss": None,
        "ema": None,
        "compile": False,
        "channels_last": False,
        "views": None,
        "precision": "auto",
    },
    "train.views": {
        "count": 8,
        "crop": [0.5, 1.0],
        "flip": 0.0,
        "color": 0.0,
        "erase": 0.0,
        "drop_words": 0.0,
        "teachers": "same",
    },
    "evaluate": {"every": 1, "batch_size": 256, "margin": None},
}


class Frozen(BaseModel):
    """An immutable value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields replaced. Unlike `model_copy`, it does not copy cached properties of the old object."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)


def _finite(value: Any) -> Any:
    """A JSON value; raises ValueError for a number in it that JSON cannot write. Records may come from elsewhere."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"found {value}, expected a finite number")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _finite(inner)
    return value


Version = Annotated[int, Field(strict=True, ge=1)]
Values = Annotated[JsonObject, AfterValidator(_finite)]


class PluginSpec(Frozen):
    """A plugin of a run: its label, the offer's name, and all parameters.

    `defaults` are those of its parameters when the suite was checked, by dotted path where a parameter holds another
    plugin (`student.width`); `version` is the offer's, `versions` those of nested plugins unless 1.
    """

    name: str
    use: str
    params: Values = {}
    defaults: Values = {}
    version: Version = 1
    versions: dict[str, Version] = {}

    @cached_property
    def canonical(self) -> JsonObject:
        """The plugin without parameters that equal their default."""
        form: JsonObject = {"name": self.name, "use": self.use, "params": without_defaults(self.params, self.defaults)}
        return form | self._versions

    @cached_property
    def canonical_json(self) -> str:
        """The same as canonical JSON."""
        return canonical_json(self.canonical)

    @property
    def _versions(self) -> JsonObject:
        """Its own version and those of plugins it holds, as far as they are not the first."""
        own: JsonObject = {"version": self.version} if self.version != 1 else {}
        return own | ({"versions": self.versions} if self.versions else {})

    @property
    def plain(self) -> JsonObject:
        """The offer's name and all parameters, without the label."""
        return {"use": self.use, "params": self.params}

    def same_as(self, plain: JsonObject) -> bool:
        """Whether `plain`, the property of another spec, perhaps from before a parameter was added, is the same plugin."""
        return bool(plain) and {**self.canonical, "name": ""} == {
            "name": "",
            "use": plain.get("use"),
            "params": without_defaults(plain.get("params") or {}, self.defaults),
            **self._versions,
        }


class TermSpec(PluginSpec):
    """A term of the objective."""

    coefficient: Annotated[float, Field(strict=True, allow_inf_nan=False)] = 1.0

    @cached_property
    def canonical(self) -> JsonObject:
        form = super().canonical
        return form | ({"coefficient": self.coefficient} if self.coefficient != 1.0 else {})


_KNOWN: dict[bytes, PluginSpec] = {}  # by their JSON
_MOST = 10_000


def _shared(given: Any, validate: ValidatorFunctionWrapHandler) -> PluginSpec:
    """One object for equal JSON: thousands of records name the same few plugins, whose canonical form is computed once."""
    try:
        key = marshal.dumps(given, 2) if isinstance(given, dict) else b""
    except ValueError:  # no JSON
        key = b""
    # Of a copy: validation keeps the values of `params`, which the caller may change.
    found: PluginSpec = _KNOWN.get(key) or validate(deepcopy(given) if key else given)
    if key:
        if len(_KNOWN) >= _MOST:
            _KNOWN.clear()
        _KNOWN[key] = found
    return found


Shared = Annotated[PluginSpec, WrapValidator(_shared)]


class StageSpec(Frozen):
    """A stage of the training: what it changes. Without an objective or a strategy of its own it has those of the run."""

    settings: StageSettings = StageSettings()
    objective: tuple[TermSpec, ...] = ()
    strategy: Shared | None = None

    @property
    def canonical(self) -> JsonObject:
        """What it states."""
        form: JsonObject = {"settings": self.settings.model_dump(exclude_none=True)}
        form |= {"objective": [term.canonical for term in self.objective]} if self.objective else {}
        return form | ({"strategy": self.strategy.canonical} if self.strategy else {})


class Tuning(Frozen):
    """How a run's parameters were found."""

    split: str
    trials: Annotated[int, Field(strict=True, ge=1)]
    metric: str


class TaskDataset(Frozen):
    """A dataset with the task whose rules it is used by."""

    task: Shared
    dataset: Shared


class Fold(Frozen):
    """Which part of a dataset is tested: part `index`, from 0, of `of`."""

    index: Annotated[int, Field(strict=True, ge=0)]
    of: Annotated[int, Field(strict=True, ge=3)]

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.index >= self.of:
            raise ValueError(f"found index {self.index}, expected one below {self.of}")
        return self

    def __str__(self) -> str:
        return f"fold {self.index + 1}/{self.of}"


class RunSpec(Frozen):
    """One cell of the grid with a seed, and in cross-validation with a fold: a cell is then seeds × folds.

    A run without teachers has no objective, and one with fewer than two teachers no strategy, even if the suite lists some:
    it is a single row. A reference is a teacher evaluated without training: `student` holds the teacher, and `train` is None.

    A transfer run, which has `trained_on`, evaluates the student of another run (`training`) on its own dataset by its own
    task; a reference with it evaluates a teacher that was prepared on that dataset.
    """

    version: Literal[2] = SPEC_VERSION
    suite: str
    task: Shared
    dataset: Shared
    student: Shared
    team: tuple[Shared, ...] = ()
    strategy: Shared | None = None
    objective: tuple[TermSpec, ...] = ()
    train: Train | None
    evaluate: Evaluate
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)]  # as suites allow; torch's generators take no more
    variant: str = ""  # of the suite
    role: Literal["", "reference"] = ""
    smoke: Annotated[bool, Field(strict=True)] = False  # only shows that everything works; never published
    tuning: Tuning | None = None  # None for parameters from the suite
    trained_on: TaskDataset | None = None  # of a transfer run
    regime: Annotated[bool, Field(strict=True)] = False  # its variant is a regime, whose rows have a table of their own
    race: RaceDesign | None = None  # of a raced run
    fold: Fold | None = None  # None: the splits that the dataset has
    stages: tuple[StageSpec, ...] = ()  # (): the training is one stage

    @cached_property
    def run_id(self) -> str:
        """The run's id: 12 hexadecimal digits."""
        fold = {"fold": str(self.fold.index)} if self.fold else {}
        return digest_of_fields({**self._cell, "seed": str(self.seed), **fold})[:12]

    @cached_property
    def cell_id(self) -> str:
        """The cell's id, equal for all its seeds and folds: 12 hexadecimal digits."""
        return digest_of_fields(self._cell)[:12]

    @cached_property
    def _cell(self) -> dict[str, str]:
        """The canonical JSON of each field but the seed and the index of the fold.

        Empty fields are left out: blocks added later change no id.
        """
        train, tuning, elsewhere = self.train, self.tuning, self.trained_on
        plugins: dict[str, PluginSpec | None] = {
            "task": self.task,
            "dataset": self.dataset,
            "student": self.student,
            "strategy": self.strategy,
        }
        several: dict[str, Sequence[PluginSpec]] = {
            "team": self.team,
            "objective": self.objective,
            "trained_on": (elsewhere.task, elsewhere.dataset) if elsewhere else (),
        }
        others: JsonObject = {
            "version": self.version,
            "suite": self.suite,
            "train": settings_form("train", train) if train else None,
            "evaluate": settings_form("evaluate", self.evaluate),
            "variant": self.variant,
            "role": self.role,
            "smoke": self.smoke,
            "tuning": tuning.model_dump() if tuning else None,
            "regime": self.regime,
            "race": self.race.model_dump() if self.race else None,
            "folds": self.fold.of if self.fold else None,
            "stages": [stage.canonical for stage in self.stages],
        }
        return {
            **{name: plugin.canonical_json for name, plugin in plugins.items() if plugin},
            **{name: f"[{','.join(one.canonical_json for one in some)}]" for name, some in several.items() if some},
            **{name: canonical_json(value) for name, value in others.items() if value not in ("", None, False, [], {})},
        }

    @property
    def teachers(self) -> tuple[str, ...]:
        """The labels of the team's teachers."""
        return tuple(teacher.name for teacher in self.team)

    @property
    def trainings(self) -> tuple[Train, ...]:
        """The settings of each stage, or of the whole training if it has none; none of a reference."""
        if self.train is None:
            return ()
        return tuple(stage.settings.within(self.train) for stage in self.stages) or (self.train,)

    @property
    def epochs(self) -> int:
        """Epochs of all stages together, 0 of a reference."""
        return sum(train.epochs for train in self.trainings)

    @property
    def terms(self) -> tuple[TermSpec, ...]:
        """All terms: those of the objective, then those of stages."""
        return (*self.objective, *(term for stage in self.stages for term in stage.objective))

    @property
    def strategies(self) -> tuple[PluginSpec, ...]:
        """All strategies: that of the run, then those of stages."""
        return tuple(filter(None, [self.strategy, *(stage.strategy for stage in self.stages)]))

    @property
    def reference(self) -> bool:
        """Whether it evaluates a teacher itself."""
        return self.role == "reference"

    @property  # not cached: a spec that held itself could not be compared
    def training(self) -> RunSpec:
        """The run that trains its student: itself, unless it is a transfer run."""
        if self.trained_on is None:
            return self
        return self.replace(task=self.trained_on.task, dataset=self.trained_on.dataset, trained_on=None)

    @property
    def transfer(self) -> bool:
        """Whether it evaluates the student of another run, `training`."""
        return self.trained_on is not None and not self.reference

    @property
    def cell_label(self) -> str:
        """A readable label of the cell."""
        on = [f"on {self.dataset.name}"] if self.trained_on else []
        if self.reference:
            return " · ".join([self.student.name, "teacher itself", *on])
        parts = [self.variant, self.student.name, "+".join(self.teachers) or "no distillation"]
        return " · ".join(part for part in [*parts, self.strategy.name if self.strategy else "", *on] if part)

    @property
    def label(self) -> str:
        """A readable label of the run."""
        parts = [self.cell_label, str(self.fold or "") if self.reference else f"seed {self.which}"]
        return " · ".join(part for part in parts if part)

    @property
    def which(self) -> str:
        """What tells it from other runs of its cell: its seed, and its fold if it has one."""
        return f"{self.seed} · {self.fold}" if self.fold else str(self.seed)

    @property
    def training_seed(self) -> int:
        """What its training is drawn from: the seed, in cross-validation another one for each fold.

        Trainings of different folds are then as independent as those of different seeds. The same for all teams and strategies.
        """
        return int(digest_of(["fold", self.seed, self.fold.index])[:8], 16) if self.fold else self.seed

    def disagreement(self, other: RunSpec) -> str:
        """Where two specs with one id differ in what both have: a default that changed without a new version; "" if nowhere."""
        pairs = [(self.task, other.task), (self.dataset, other.dataset), (self.student, other.student)]
        pairs += list(zip(self.team, other.team, strict=False))
        pairs += list(zip(self.terms, other.terms, strict=False))
        pairs += list(zip(self.strategies, other.strategies, strict=False))
        return next((found for one, its in pairs if (found := _difference(one.use, one.params, its.params))), "")


def _difference(where: str, params: JsonObject, others: JsonObject) -> str:
    """The first parameter that both have, themselves or in a plugin they hold, with another value; "" if there is none."""
    for name in params.keys() & others.keys():
        one, its = params[name], others[name]
        if _is_plugin(one) and _is_plugin(its):
            if found := _difference(f"{where}.{name}", one, its):
                return found
        elif not _same(one, its):
            return f"{where}.{name}: {its!r} then, {one!r} now"
    return ""


def settings_form(block: str, settings: BaseModel) -> JsonObject:
    """A block of the core's settings without operational settings and those at their pinned default.

    Of a block within it, such as `train.views`, as well: a setting that it gains changes no id.
    """
    return {
        name: settings_form(f"{block}.{name}", value) if isinstance(value, BaseModel) else value
        for name, pin in _pins(block, type(settings)).items()
        if (value := getattr(settings, name)) != pin
    }


@cache
def _pins(block: str, kind: type[BaseModel]) -> JsonObject:
    """The default of each setting that may be part of an id."""
    pins = {name: field.default for name, field in kind.model_fields.items()} | PINNED[block]
    return {name: pins[name] for name in kind.model_fields if name not in OPERATIONAL}


def without_defaults(params: JsonObject, defaults: JsonObject, prefix: str = "") -> JsonObject:
    """Parameters without those that equal their default.

    A plugin that a parameter holds keeps its `use`; it equals a default that holds a plugin if both do without their defaults.
    """
    kept: JsonObject = {}
    for name, value in params.items():
        path = prefix + name
        default: Any = defaults.get(path)
        if _is_plugin(value):
            value = without_defaults(value, defaults, f"{path}.")
            default = without_defaults(default, defaults, f"{path}.") if _is_plugin(default) else default
        if path not in defaults or not _same(value, default):
            kept[name] = value
    return kept


def _is_plugin(value: Any) -> bool:
    return isinstance(value, dict) and "use" in value


def _same(value: Any, default: Any) -> bool:
    """Equal as JSON, at any depth: true is not 1, but 1.0 is."""
    if isinstance(value, dict) and isinstance(default, dict):
        return value.keys() == default.keys() and all(_same(value[name], default[name]) for name in value)
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(_same, value, default))
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)
