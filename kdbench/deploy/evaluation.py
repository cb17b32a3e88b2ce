"""`kdbench.evaluate`: evaluates one model on one dataset by the metrics of the dataset's task, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kdbench.contracts import Metric, Task
from kdbench.errors import KdbenchError
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins, installed
from kdbench.plugins.parameters import checked_params, construct, params_model
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.plugin_entries import plug

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

MODEL = "openclip"  # the teacher plugin for a plain model name
SPLITS = ("test", "validation")

Named = str | Mapping[str, Any]  # a plugin's name, or its spec: {"use": "emoji", "size": 64}


@dataclass(frozen=True)
class Evaluation:
    """The result for a model: `metrics` are raw values by name, `arrays` the values per test query (`Task.evaluate`)."""

    task: Task
    metrics: dict[str, float]
    arrays: Arrays

    @property
    def shown(self) -> dict[str, float]:
        """The metrics shown in tables, by label and in shown units."""
        return {metric.label: metric.scale * self.metrics[metric.name] for metric in self._listed}

    def lines(self) -> list[str]:
        """One line per metric, for a terminal."""
        width = max((len(metric.label) for metric in self._listed), default=0)
        texts = [(one, one.text(one.scale * self.metrics[one.name])) for one in self._listed]
        return [f"{one.label:<{width}}  {text:>7} {one.unit}".rstrip() for one, text in texts]

    @property
    def _listed(self) -> list[Metric]:
        return [metric for metric in self.task.metrics if metric.name in self.metrics and metric.shown]


def evaluate(
    model: Named | object,
    dataset: Named,
    *,
    split: str = "test",
    settings: Mapping[str, Any] | None = None,
    batch_size: int = 256,
    device: str = "auto",
    cache: str | Path | None = None,
    plugins: Plugins | None = None,
) -> Evaluation:
    """Evaluates a model on a split of a dataset.

    `model` is a name that open_clip knows (`ViT-B-32`, `hf-hub:…`, `local-dir:…`), the spec of a teacher such as
    `{"use": "backbones", "image": "efficientnet_lite0"}`, or an object: a student (with a `module`) or a teacher.
    `dataset` is the name or the spec of an installed dataset. `settings` are those of its task, as in a suite's `evaluate:`
    block. `device` is `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. `cache` is the folder for encoded data, by default that of
    all runs. Raises KdbenchError if a name, a parameter or a setting is invalid.
    """
    if split not in SPLITS:
        raise KdbenchError(f"split: found {split!r}, expected {' or '.join(SPLITS)}")
    plugins = plugins or installed()
    data_spec = plug("dataset", _entry(dataset, "dataset"), "dataset", plugins)
    task = _task(plugins.find("dataset", data_spec.use).offer.task, settings or {}, plugins)
    teacher = None
    if isinstance(model, str | Mapping):
        entry = {"use": MODEL, "model": model} if isinstance(model, str) else _entry(model, "model")
        teacher = plug("teacher", entry, "model", plugins)

    from kdbench.deploy.evaluate_model import evaluate_model
    from kdbench.records.provenance import resolved_device
    from kdbench.storage.cache import Cache, default_root

    with building_with(plugins):
        on = resolved_device(device)
        store = Cache(Path(cache) if cache else default_root())
        source = build_spec("dataset", data_spec)
        _check_fit(task, source, split, data_spec.name)
        data = task.open(source, store, on, lambda *_: None)
        built = build_spec("teacher", teacher) if teacher else model
        try:
            arrays = evaluate_model(task, data, built, "test" if split == "test" else "validation", batch_size, on)
        except AttributeError as error:
            if teacher or hasattr(built, "module"):
                raise
            raise KdbenchError(
                f"model: found {built!r}, expected a name, a spec, a student (with a `module`) or a teacher ({error})"
            ) from error
    return Evaluation(task, task.measure(arrays), arrays)


def _check_fit(task: Task, source: object, split: str, label: str) -> None:
    """Raises KdbenchError if the dataset cannot be evaluated, or not with the settings of the task."""
    wrong = [f"{label}: {where}: found {found}; expected {text}" for where, found, text in task.data_problems(source)]
    if not wrong:
        misfits = task.misfits(source, None, ("test" if split == "test" else "validation",))
        wrong = [f"{path}: found {found!r}; expected {text.format(dataset=label)}" for path, found, text in misfits]
    if wrong:
        raise KdbenchError("\n".join(wrong))


def _entry(given: Named, what: str) -> dict[str, Any]:
    if isinstance(given, str):
        return {"use": given}
    if not isinstance(given.get("use"), str):
        raise KdbenchError(f"{what}: found {dict(given)!r}, expected a name or a map such as {{use: NAME, …}}")
    return dict(given)


def _task(name: str, settings: Mapping[str, Any], plugins: Plugins) -> Task:
    offer = plugins.find("task", name).offer
    try:
        params = checked_params(offer, dict(settings))
    except ValidationError as error:
        diagnostics = Diagnostics("settings", {})
        diagnostics.add_validation((), error, dict(settings), params_model(offer).model_fields)
        diagnostics.raise_if_any()
        raise
    task: Task = construct(offer, params)
    return task
