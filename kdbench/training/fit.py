"""Trains a teacher's model by the training loop, alone or taught by other teachers, and caches its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from kdbench.contracts import Distillation, Student, Task
from kdbench.contracts.values import JsonObject, Owned
from kdbench.errors import PluginError
from kdbench.plugins.library_warnings import kept_in, warn_again
from kdbench.storage.cache import Cache
from kdbench.storage.checkpoint import save_weights
from kdbench.storage.module_digest import module_digest
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import settings_form
from kdbench.training.internals import FirstSamples
from kdbench.training.loop import train
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher

FIT_FORMAT = 2  # raise when the training loop gives other weights for the same recipe


# Settings that have been in keys since format 2; others are where they are not at their default: a new one changes no key.
IN_KEYS = {"epochs", "batch_size", "lr", "weight_decay", "warmup", "clip_norm", "distill", "precision"}


class FitData(Protocol):
    """The part of an opened dataset that is needed here."""

    @property
    def digest(self) -> str: ...

    cache: Cache
    device: str
    report: Callable[[str, int, int], None]  # stage, done, total
    seconds: dict[Path, float]  # seconds that computing each cache entry took


def fit(
    task: Task,
    data: FitData,
    key: str,
    build: Callable[[], Student],
    recipe: dict[str, Any],
    inputs: Callable[[Student], Any] = lambda _: None,
    distillation: Distillation | None = None,
) -> Student:
    """The model that `build` returns, trained by `recipe`, at its best validation epoch, frozen and in eval mode.

    `recipe` holds settings of a suite's `train:` block, a `seed`, by default 0, and `every`, the epochs between validations, by
    default 1. The weights are cached by dataset, key, recipe, the built model with its initial weights, and what `inputs` says
    of it, as JSON: what identifies the inputs that it is trained on; with a `distillation` also by its teachers' outputs.
    Raises PluginError if a setting of the recipe is invalid.
    """
    try:
        settings = Train(**{name: value for name, value in recipe.items() if name not in ("seed", "every")})
        evaluate = Evaluate(**{name: value for name, value in recipe.items() if name == "every"})
    except ValidationError as error:
        raise PluginError(f"a teacher's training recipe is invalid: {error}") from error
    if settings.views is not None:
        raise PluginError("a teacher's training recipe is invalid: found views; expected none: it sees the images themselves")
    seed = int(recipe.get("seed", 0))
    taught = {} if distillation is None else _outputs(task, data, distillation)  # first: preparing a teacher draws
    # As for a run: the same seed gives the same initial weights, independent of earlier draws.
    torch.manual_seed(seed)
    student = build()
    task.prepare(data, student)
    module = cast(nn.Module, student.module)
    identity = {
        "format": FIT_FORMAT,
        "dataset": getattr(data, "content", data.digest),  # all that encoders read, if that is more than the digest's pixels
        "key": key,
        "recipe": _recipe(settings),
        "seed": seed,
        # The same key may build another model: a file or a folder that it names may have changed.
        "model": module_digest(module),
        "inputs": inputs(student),
        **({"every": evaluate.every} if "every" in recipe else {}),
        **({"teachers": {name: outputs.key for name, outputs in taught.items()}} if taught else {}),
    }
    # Encoded before the entry: its time is then that of the training only.
    train_split, validation = task.encode(data, student, "train"), task.encode(data, student, "validation")

    def make(folder: Path) -> None:
        def on_step(step: int, steps: int, *_: object) -> None:
            data.report("train teacher", step, steps)

        with kept_in(folder):
            stage = Stage(settings)
            if distillation is not None:
                members = [TeamTeacher(name, outputs) for name, outputs in taught.items()]
                first = FirstSamples(task, student, train_split, data.device)
                team = Team(members, distillation.terms, task.width(student), seed, data.device, first)
                stage = Stage(settings, team, distillation.strategy)
            train(task, student, train_split, validation, [stage], evaluate, seed, data.device, on_step=on_step)
        save_weights(folder / "weights.safetensors", module)

    entry = data.cache.entry("teachers", identity, make)
    data.seconds[entry.folder] = entry.seconds
    warn_again(entry.folder)
    module.load_state_dict(load_file(entry.folder / "weights.safetensors"))
    module.to(data.device).eval().requires_grad_(False)
    return student


def _outputs(task: Task, data: Owned, distillation: Distillation) -> dict[str, Owned]:
    """The outputs of each teacher on the train split. Raises PluginError if they have no key."""
    found = {}
    for name, teacher in distillation.teachers.items():
        task.check_plugin("teacher", teacher)
        found[name] = task.teach(data, teacher)
        if not isinstance(getattr(found[name], "key", None), str):
            raise PluginError(
                f"task {task.name}: found outputs of a teacher without `key`; expected one to teach a teacher with"
            )
    return found


def _recipe(settings: Train) -> JsonObject:
    given = settings.model_dump()
    return {name: given[name] for name in IN_KEYS} | settings_form("train", settings)
