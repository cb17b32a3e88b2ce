"""The task of a record, which interprets its metrics and stored arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from kdbench.contracts import Task
from kdbench.errors import KdbenchError, RecordError
from kdbench.suite.spec import PluginSpec

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins

_built: WeakKeyDictionary[Plugins, dict[str, Task]] = WeakKeyDictionary()


def task_of(spec: PluginSpec, plugins: Plugins | None = None) -> Task:
    """The task with these parameters, built once and cached; `plugins` are by default the installed ones.

    Raises RecordError if the task is not installed or does not accept these parameters.
    """
    from kdbench.plugins.loading import installed
    from kdbench.plugins.parameters import construct

    plugins = plugins or installed()
    built = _built.setdefault(plugins, {})
    key = f"{spec.use} {spec.params}"
    try:
        if key not in built:
            built[key] = construct(plugins.find("task", spec.use).offer, spec.params)
        return built[key]
    except (KdbenchError, TypeError, ValueError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[:3])
        raise RecordError(f"the task {spec.use!r} cannot be built from its record: {reason}") from error
