"""Loads plugins from the entry-point group `kdbench` and collects their offers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

import pluggy

from kdbench.contracts import Offer, hookspecs
from kdbench.errors import KdbenchWarning, PluginError, nearest

Kind = Literal[
    "task", "dataset", "teacher", "student", "objective", "strategy", "tracker", "engine", "exporter", "report", "attribution"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
HOOKS: dict[Kind, str] = {
    "task": "kdbench_tasks",
    "dataset": "kdbench_datasets",
    "teacher": "kdbench_teachers",
    "student": "kdbench_students",
    "objective": "kdbench_objectives",
    "strategy": "kdbench_strategies",
    "tracker": "kdbench_trackers",
    "engine": "kdbench_engines",
    "exporter": "kdbench_exporters",
    "report": "kdbench_reports",
    "attribution": "kdbench_attributions",
}


def article(kind: Kind) -> str:
    """`an objective`, `a student`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


@dataclass(frozen=True)
class Listed:
    """An offer and its provider."""

    offer: Offer[Any]
    provider: str


class Plugins:
    """All plugins of this environment. A plugin that fails to load is left out and its error kept; the others work."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("kdbench")
        self.manager.add_hookspecs(hookspecs)
        self.broken: dict[str, str] = {}
        self._offers: dict[Kind, dict[str, Listed]] = {}

    def load(self, points: list[EntryPoint] | None = None) -> Plugins:
        """Registers every entry point of the group (or those given)."""
        for point in entry_points(group="kdbench") if points is None else points:
            provider = f"{point.dist.name if point.dist else 'unknown'}:{point.name}"
            try:
                self.register(point.load(), provider)
            except Exception as error:  # an error in one plugin must not disable the others
                self.broken[provider] = f"{type(error).__name__}: {error}"
        return self

    def register(self, plugin: object, provider: str) -> None:
        """Adds one plugin, a module or an object. Raises an error for an unknown hook."""
        try:
            self.manager.register(plugin, name=provider)
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            if self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            raise PluginError(f"{error}; the hooks are documented in kdbench/contracts/hookspecs.py") from error

    def offers(self, kind: Kind) -> dict[str, Listed]:
        """The offers of one kind by name. Raises PluginError if two providers offer the same name."""
        if kind not in self._offers:
            self._offers[kind] = self._collect(kind)
        return self._offers[kind]

    def _collect(self, kind: Kind) -> dict[str, Listed]:
        found: dict[str, Listed] = {}
        caller: pluggy.HookCaller = getattr(self.manager.hook, HOOKS[kind])
        for implementation in caller.get_hookimpls():
            provider = implementation.plugin_name
            try:
                offers: list[Any] = list(implementation.function())  # type: ignore[call-overload]
                wrong = next((o for o in offers if not isinstance(o, Offer)), None)
                if wrong is not None:
                    raise PluginError(f"{HOOKS[kind]} must return Offer objects; found {wrong!r}")
            except Exception as error:
                self.broken[provider] = f"{type(error).__name__}: {error}"
                continue
            for offer in offers:
                if offer.name in found:
                    raise PluginError(
                        f"two plugins offer the {kind} {offer.name!r}: {found[offer.name].provider} and {provider}; "
                        "uninstall one or have its author rename it"
                    )
                found[offer.name] = Listed(offer, provider)
        return dict(sorted(found.items()))

    def find(self, kind: Kind, name: str) -> Listed:
        """The offer of that name. Raises PluginError with the nearest name and the errors of plugins that failed to load."""
        offers = self.offers(kind)
        if name in offers:
            return offers[name]
        message = f"no {kind} is called {name!r}; {nearest(name, offers) or 'none is offered'}"
        raise PluginError(message + self.broken_note())

    def broken_note(self) -> str:
        """A clause for messages that quotes the plugins that failed to load, empty if none did."""
        if not self.broken:
            return ""
        failures = "".join(f"\n    {provider}: {error}" for provider, error in sorted(self.broken.items()))
        return f"\n  these plugins failed to load and may have offered it:{failures}"

    def notify(self, hook: str, **arguments: Any) -> None:
        """Calls a tracker hook. An exception of a tracker becomes a warning and does not stop the training."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            _call_safely(implementation.function, implementation.plugin_name, wanted)


def _call_safely(function: Callable[..., object], provider: str, arguments: dict[str, Any]) -> None:
    try:
        function(**arguments)
    except Exception as error:
        warnings.warn(f"tracker {provider} raised {type(error).__name__}: {error}", KdbenchWarning, stacklevel=3)


@cache
def installed() -> Plugins:
    """The plugins of this environment, loaded once per process."""
    return Plugins().load()
