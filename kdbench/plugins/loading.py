"""Loads plugins from the entry-point group `kdbench` and collects their offers."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Literal, get_args

import pluggy

from kdbench.contracts import Offer, hookspecs
from kdbench.contracts.names import EXPECTED, NAME, is_name
from kdbench.errors import KdbenchWarning, PluginError, nearest, quoted
from kdbench.plugins.parameters import params_model
from kdbench.storage.loaded_code import importing

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
OWN = "kdbench:"  # how providers of this distribution begin


def article(kind: Kind) -> str:
    """`an objective`, `a student`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


@dataclass(frozen=True)
class Listed:
    """An offer and its provider."""

    offer: Offer[Any]
    provider: str  # `PACKAGE:ENTRY POINT`

    @property
    def package(self) -> str:
        """The distribution that offers it; `kdbench` is the first party."""
        return self.provider.partition(":")[0]


class Plugins:
    """All plugins of this environment. A plugin that fails to load is left out and its error kept; the others work."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("kdbench")
        self.manager.add_hookspecs(hookspecs)
        self.broken: dict[str, str] = {}
        self._offers: dict[Kind, dict[str, Listed]] = {}
        self._clashes: dict[tuple[Kind, str], str] = {}

    def load(self, points: list[EntryPoint] | None = None) -> Plugins:
        """Registers every entry point of the group (or those given)."""
        for point in entry_points(group="kdbench") if points is None else points:
            provider = f"{_name_of(point.dist) if point.dist else 'unknown'}:{point.name}"
            with self._guarded(provider):
                with importing(point.module):
                    plugin = point.load()
                self.register(plugin, provider)
        return self

    def register(self, plugin: object, provider: str) -> None:
        """Adds one plugin, a module or an object. Raises an error for an unknown hook; notes a hook without `@hookimpl`."""
        try:
            self.manager.register(plugin, name=provider)
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            if self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            raise PluginError(f"{error}; the hooks are documented in kdbench/contracts/hookspecs.py") from error
        for name in unmarked_hooks(plugin):
            hint = nearest(name, [name for name in vars(hookspecs) if name.startswith("kdbench_")])
            self._set_aside(provider, f"{name} is not marked with @hookimpl and is not called" + (f"; {hint}" if hint else ""))

    def offers(self, kind: Kind) -> dict[str, Listed]:
        """The offers of one kind by name, without those set aside: their parameters are no schema, or their name is taken."""
        if kind not in self._offers:
            self._offers[kind] = self._collect(kind)
        return self._offers[kind]

    def _collect(self, kind: Kind) -> dict[str, Listed]:
        found: dict[str, list[Listed]] = {}
        caller: pluggy.HookCaller = getattr(self.manager.hook, HOOKS[kind])
        for implementation in caller.get_hookimpls():
            provider = implementation.plugin_name
            with self._guarded(provider):
                for offer in _offered(kind, implementation.function):
                    found.setdefault(offer.name, []).append(Listed(offer, provider))
        chosen = {name: self._chosen(kind, name, several) for name, several in sorted(found.items())}
        return {name: listed for name, listed in chosen.items() if listed and self._has_schema(listed)}

    def _chosen(self, kind: Kind, name: str, several: list[Listed]) -> Listed | None:
        """kdbench's own of several offers of one name, None if it has none. The others are set aside."""
        if len(several) == 1:
            return several[0]
        providers = [listed.provider for listed in several]
        own = [listed for listed in several if listed.provider.startswith(OWN)]
        text = f"two plugins offer the {kind} {name!r}: {' and '.join(providers)}; uninstall one or have its author rename it"
        for listed in several:
            if listed not in own[:1]:
                self._set_aside(listed.provider, text)
        self._clashes[kind, name] = f"{text}; kdbench's own is used" if own else text
        return own[0] if own else None

    def _has_schema(self, listed: Listed) -> bool:
        try:
            params_model(listed.offer)
        except PluginError as error:
            self._set_aside(listed.provider, str(error))
            return False
        except Exception:  # a builder without a signature, such as a builtin: an error where it is built
            return True
        return True

    @contextmanager
    def _guarded(self, provider: str) -> Iterator[None]:
        """Sets a plugin aside that raises anything but an interrupt; what it prints goes to standard error."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except KeyboardInterrupt:
            raise
        except PluginError as error:
            self._set_aside(provider, f"PluginError: {error}")
        except BaseException as error:  # SystemExit too: one plugin must not disable the others
            text = quoted(error).removeprefix("raised ")
            self._set_aside(provider, f"{type(error).__name__}: {error}" if isinstance(error, SyntaxError) else text)

    def _set_aside(self, provider: str, error: str) -> None:
        before = self.broken.get(provider)
        if before is None or error not in before:
            self.broken[provider] = f"{before}; {error}" if before else error

    def find(self, kind: Kind, name: str) -> Listed:
        """The offer of that name. Raises PluginError with the nearest name and the errors of plugins that failed to load.

        If several plugins offer the name, kdbench's own is returned with a warning; without one, the error names them.
        """
        offers = self.offers(kind)
        if (clash := self._clashes.get((kind, name))) and name not in offers:
            raise PluginError(clash)
        if name in offers:
            if clash:
                warnings.warn(clash, KdbenchWarning, stacklevel=2)
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


@cache  # each time, all metadata would be parsed again
def _name_of(distribution: Distribution) -> str:
    return distribution.name


def unmarked_hooks(plugin: object) -> list[str]:
    """Names of a plugin's functions that are named like hooks but lack `@hookimpl`, which pluggy passes over."""
    names = [name for name in dir(plugin) if name.startswith("kdbench_")]
    values = {name: inspect.getattr_static(plugin, name) for name in names}
    return [name for name, value in values.items() if inspect.isfunction(value) and not hasattr(value, "kdbench_impl")]


def _offered(kind: Kind, function: Callable[..., Any]) -> list[Offer[Any]]:
    """What a hook offers. Raises PluginError if it is no list of offers."""
    offered = function()
    if not isinstance(offered, Iterable):
        raise PluginError(f"{HOOKS[kind]} must return a list of Offer objects; found {offered!r}")
    offers = list(offered)
    for offer in offers:
        if not isinstance(offer, Offer):
            raise PluginError(f"{HOOKS[kind]} must return Offer objects; found {offer!r}")
        if not isinstance(offer.name, str) or not is_name(offer.name):
            raise PluginError(f"{HOOKS[kind]}: Offer.name: found {offer.name!r}; expected {EXPECTED[NAME]}")
    return offers


def _call_safely(function: Callable[..., object], provider: str, arguments: dict[str, Any]) -> None:
    try:
        function(**arguments)
    except (Exception, SystemExit) as error:
        warnings.warn(f"tracker {provider} raised {type(error).__name__}: {error}", KdbenchWarning, stacklevel=3)


@cache
def installed() -> Plugins:
    """The plugins of this environment, loaded once per process."""
    return Plugins().load()
