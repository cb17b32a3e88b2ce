"""Builds plugins from specs: those of a run, and those that another plugin takes by a parameter marked with `Uses`.

Imports happen only when something is built: plugin modules can import `build` and stay cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from kdbench.errors import PluginError

if TYPE_CHECKING:
    from kdbench.plugins.loading import Kind, Plugins


class Planned(Protocol):
    """A `PluginSpec`: the offer's name and its parameters."""

    @property
    def use(self) -> str: ...
    @property
    def params(self) -> dict[str, Any]: ...


_current: ContextVar[Plugins | None] = ContextVar("plugins", default=None)


def build(kind: Kind, entry: dict[str, Any]) -> Any:
    """Checks the parameters of an entry such as `{"use": "openclip", "model": "RN50"}` and builds its plugin.

    Looks it up among the plugins of this environment, or of the enclosing `building_with`. Raises PluginError if there is
    none of that name.
    """
    from kdbench.plugins.parameters import construct

    if not isinstance(entry.get("use"), str):
        raise PluginError(f"the spec of a nested {kind} is {entry!r}; expected a map with `use:` and its parameters")
    params = {key: value for key, value in entry.items() if key != "use"}
    return construct(current_plugins().find(kind, entry["use"]).offer, params)


def current_plugins() -> Plugins:
    """The plugins of the enclosing `building_with`, by default those of this environment."""
    from kdbench.plugins.loading import installed

    return _current.get() or installed()


def build_spec(kind: Kind, spec: Planned) -> Any:
    """Builds the plugin of a run's spec."""
    return build(kind, {**spec.params, "use": spec.use})


@contextmanager
def building_with(plugins: Plugins) -> Iterator[None]:
    """A context in which `build` uses the given plugins."""
    token = _current.set(plugins)
    try:
        yield
    finally:
        _current.reset(token)
