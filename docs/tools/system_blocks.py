"""The tables of systems and of methods: source, status, what is here, which plugins, tests and suites."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from docs.tools.blocks import cell, table
from docs.tools.method_pages import PROVIDER, anchor
from docs.tools.result_blocks import ROOT
from docs.tools.systems import SYSTEMS, System
from kdbench.contracts import Offer
from kdbench.plugins.loading import Kind, Plugins
from kdbench.suite.extends import read_extended

REPOSITORY = "https://github.com/kdbench/kdbench/blob/main"
PAGES = {"strategy": "strategies.md", "objective": "objectives.md"}  # of other kinds, others.md
METHODS: tuple[Kind, ...] = ("strategy", "objective", "student", "teacher")
SHOWN = 3  # suites of a method, before the rest are counted


def systems(plugins: Plugins) -> str:
    """A row for each system."""
    heads = ["system and source", "what of it is here", "plugins, their status and tests", "suite"]
    return table(heads, [_system(one, plugins) for one in SYSTEMS])


def every_method(plugins: Plugins) -> str:
    """A row for each plugin that ships and implements a published method."""
    rows = []
    for kind, offer in methods(plugins):
        suites = _listed([_suite(name) for name in suites_with(kind, offer.name)])
        what = cell(offer.summary)
        source = f"{cell(offer.source)}; {status(offer)}"
        named = f"{_plugin(kind, offer.name)}<br>{kind}, {_test(checked_by(offer))}"
        rows.append([named, what, source, suites or "none that ships"])
    return table(["method", "what it is", "source and status", "suites"], rows)


def methods(plugins: Plugins) -> Iterator[tuple[Kind, Offer[Any]]]:
    """The offers that ship with a source; a plugin that implements no method has none."""
    for kind in METHODS:
        for listed in plugins.offers(kind).values():
            if listed.provider.startswith(PROVIDER) and listed.offer.source:
                yield kind, listed.offer


def status(offer: Offer[Any]) -> str:
    """Its own; of an offer without one, that of the system whose only plugin it is."""
    return offer.status or next(one.status for one in SYSTEMS if one.status and one.plugins[0].split()[1] == offer.name)


def checked_by(offer: Offer[Any]) -> Path:
    """The test file of the module that an offer builds from, from the root: the mirrored one, or the one listed for it."""
    module = Path(*offer.build.__module__.split("."))
    mirrored = Path("tests", *module.parts[module.parts[0] == "kdbench" :]).with_name(f"test_{module.name}.py")
    return mirrored if (ROOT / mirrored).is_file() else _listed_tests()[module.with_suffix(".py").as_posix()]


def suites_with(kind: Kind, name: str) -> list[str]:
    """The suites that name a plugin, those of its systems first."""
    own = [one.suite for one in SYSTEMS if f"{kind} {name}" in one.plugins]
    return list(dict.fromkeys([*own, *(suite for suite, used in _used().items() if name in used)]))


def _system(one: System, plugins: Plugins) -> list[str]:
    found = [cast(tuple[Kind, str], tuple(plugin.split())) for plugin in one.plugins]
    offers = [plugins.find(kind, name).offer for kind, name in found]
    statuses = {status(offer) for offer in offers}
    told = "<br>".join(
        f"{_plugin(*plugin)}: {plugin[0]}, {status(offer)}, {_test(checked_by(offer))}"
        for plugin, offer in zip(found, offers, strict=True)
    )
    whole = statuses.pop() if len(statuses) == 1 else "in part reconstruction"
    return [f"**{one.name}**<br>{cell(offers[0].source)}", f"{cell(one.here)} ({whole})", told, _suite(one.suite)]


def _plugin(kind: Kind, name: str) -> str:
    return f"[`{name}`]({PAGES.get(kind, 'others.md')}#{anchor(kind, name)})"


def _test(path: Path) -> str:
    return f"[tests]({REPOSITORY}/{path.as_posix()})"


def _suite(name: str) -> str:
    return f"[{name}]({REPOSITORY}/suites/{name}.yaml)"


def _listed(suites: list[str]) -> str:
    more = len(suites) - SHOWN
    return ", ".join(suites[:SHOWN]) + (f" and {more} more" if more > 0 else "")


@cache
def _listed_tests() -> dict[str, Path]:
    """The tests of modules without a mirrored one, by module, from `plugins` or the root."""
    lines = (ROOT / "tests/covered_elsewhere.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {source.removeprefix("plugins/"): Path(test) for source, test in pairs}


@cache
def _used() -> dict[str, set[str]]:
    """The names of plugins in each suite that ships."""
    return {path.stem: set(_names(read_extended(path).data)) for path in sorted((ROOT / "suites").glob("*.yaml"))}


def _names(value: Any, key: str = "") -> Iterator[str]:
    """Those after `use:`, and strategies without parameters."""
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _names(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, key)
    elif isinstance(value, str) and key in ("use", "strategies", "strategy"):
        yield value
