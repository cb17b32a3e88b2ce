"""The context in which runs are executed: plugins, folders, a device, and callbacks for progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from kdbench.contracts import Progress, Task
from kdbench.contracts.values import Owned
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Kind, Plugins, installed
from kdbench.records.examine_parts import examine_parts, using_plugin
from kdbench.records.parts import Part
from kdbench.storage.cache import Cache
from kdbench.storage.digest import digest_of
from kdbench.storage.loaded_code import check_loaded
from kdbench.suite.spec import Fold, PluginSpec, RunSpec


def _ignore(*_: object) -> None:
    """Ignores all events."""


@dataclass(frozen=True)
class RunContext:
    """The context of all runs in a process.

    `plugins_elsewhere` is pickled and called to load the plugins in another process of the same run.
    """

    plugins: Plugins
    cache: Cache
    results: Path
    device: str = "cpu"
    on_progress: Callable[[Progress], None] = field(default=_ignore)
    on_epoch: Callable[[str, int, dict[str, float]], None] = field(default=_ignore)
    plugins_elsewhere: Callable[[], Plugins] = installed
    _examined: dict[str, Part] = field(default_factory=dict, repr=False)

    def parts(self, spec: RunSpec, fresh: bool = False) -> dict[str, Part]:
        """The parts of a run, as of the last call with `fresh`.

        Raises KdbenchError as `examine_parts` and `check_loaded` do.
        """
        if fresh:
            check_loaded()
            self._examined.clear()
        return examine_parts(spec, self.plugins, self.cache, self._examined, self.results)

    def scratch(self, id: str) -> AbstractContextManager[Path]:
        """Holds the folder for unfinished work of a run or trial of this results folder, as `Cache.scratch` does."""
        return self.cache.scratch(self._unfinished(id))

    def discard(self, id: str) -> None:
        """Removes the unfinished work of a run or trial."""
        self.cache.discard(self._unfinished(id))

    def _unfinished(self, id: str) -> str:
        return f"{id}-{digest_of(self.results.resolve().as_posix())[:8]}"

    def reconstructions(self, spec: RunSpec) -> list[str]:
        """Labels of the parts of a run whose plugins are reconstructions."""
        parts: list[tuple[Kind, PluginSpec]] = [("teacher" if spec.reference else "student", spec.student)]
        parts += [("objective", term) for term in spec.terms]
        parts += [("teacher", teacher) for teacher in spec.team]
        parts += [("strategy", strategy) for strategy in spec.strategies]
        offers = [(part.name, self.plugins.offers(kind).get(part.use)) for kind, part in parts]
        return [name for name, listed in offers if listed and listed.offer.status == "reconstruction"]

    def task(self, spec: PluginSpec) -> Task:
        """The task of a run."""
        with building_with(self.plugins):
            task: Task = build_spec("task", spec)
        return task

    def open(self, task: Task, dataset: PluginSpec, run_id: str, fold: Fold | None = None) -> Owned:
        """Opens the dataset of a run, or a fold of it, by its task; progress is reported as the run's."""

        def report(stage: str, done: int, total: int) -> None:
            self.on_progress(Progress(run_id, stage, done, total))

        with building_with(self.plugins), using_plugin("dataset", dataset, self.plugins):
            data = task.open(build_spec("dataset", dataset), self.cache, self.device, report)
            return task.folded(data, fold.index, fold.of) if fold else data
