"""The parts of a run as they are now: package, version and source of its plugins, and a digest of what these read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdbench.errors import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.plugins.files_read import files_read
from kdbench.plugins.loading import Kind, Listed, Plugins
from kdbench.plugins.parameters import nested_specs
from kdbench.records.parts import FIRST_PARTY, Part, plugins_of
from kdbench.storage.cache import Cache
from kdbench.storage.code_digest import code_digest
from kdbench.storage.content_digest import content_digest
from kdbench.storage.installed_version import installed_version
from kdbench.storage.maker import Maker, made_by
from kdbench.suite.spec import PluginSpec, RunSpec


def examine_parts(
    spec: RunSpec, plugins: Plugins, cache: Cache, known: dict[str, Part] | None = None, results: Path | None = None
) -> dict[str, Part]:
    """All parts of a run by name, nested plugins included. `known` keeps what several runs share, such as a dataset.

    `results` is where records go, which is no content of a folder around it.

    Raises KdbenchError if a file changes while it is read; a part that cannot be examined otherwise has no digests.
    """
    found: dict[str, Part] = {}
    known = {} if known is None else known
    with building_with(plugins):
        for name, kind, plugin in plugins_of(spec):
            for path, its_kind, use, params in _with_nested(name, kind, plugin.use, plugin.params, plugins):
                key = _key(its_kind, use, params)
                if key not in known:
                    known[key] = _examined(its_kind, use, params, plugins, cache, results)
                found[path] = known[key]
    return found


def check_same_code(spec: RunSpec, plugins: Plugins, known: dict[str, Part]) -> None:
    """Raises KdbenchError if the code of a run's plugins is not that of the parts that another process has examined."""
    for name, kind, plugin in plugins_of(spec):
        for path, its_kind, use, params in _with_nested(name, kind, plugin.use, plugin.params, plugins):
            part, listed = known.get(_key(its_kind, use, params)), _listed(its_kind, use, plugins)
            if part and listed and (changed := part.difference(part.model_copy(update={"code": _code(listed)}))):
                raise KdbenchError(f"{path}: {changed} while the processes of the run were started; run again")


@contextmanager
def using_plugin(kind: Kind, plugin: PluginSpec, plugins: Plugins) -> Iterator[None]:
    """A context in which cache entries are made with a plugin: other code of third parties makes other entries."""
    found = {}
    for _, its_kind, use, _ in _with_nested("", kind, plugin.use, plugin.params, plugins):
        if listed := _listed(its_kind, use, plugins):
            found[f"{its_kind} {use}"] = listed
    packages = {name: listed.package for name, listed in found.items()}
    named = {name: f"{package} {installed_version(package)}".strip() for name, package in packages.items()}
    with made_by(Maker(named, code_digest(listed.offer.build for listed in found.values()))):
        yield


def _with_nested(
    name: str, kind: Kind, use: str, params: dict[str, Any], plugins: Plugins
) -> Iterator[tuple[str, Kind, str, dict[str, Any]]]:
    yield name, kind, use, params
    listed = _listed(kind, use, plugins)
    for inner in nested_specs(listed.offer, params) if listed else ():
        path = ".".join(map(str, (name, *inner.path)))
        yield from _with_nested(path, inner.kind, inner.use, inner.params, plugins)


def _examined(kind: Kind, use: str, params: dict[str, Any], plugins: Plugins, cache: Cache, results: Path | None) -> Part:
    listed = _listed(kind, use, plugins)
    if listed is None:
        return Part()
    package = listed.package
    content: str | None = None
    try:
        paths = files_read(listed.offer, params, keep=kind == "dataset")  # which parses its tables
    except (KdbenchError, ValidationError):  # what it reads is not here; a run says so better
        paths = []
    else:
        # A file that no parameter names yet may be one that the plugin will write: nothing is known then.
        content = content_digest(paths, cache, results) if paths or listed.offer.reads else None
    return Part(package=package, version=installed_version(package), code=_code(listed), content=content)


def _key(kind: Kind, use: str, params: dict[str, Any]) -> str:
    return f"{kind} {use} {sorted(params.items())}"


def _code(listed: Listed) -> str:
    return code_digest([listed.offer.build], first_party=listed.package == FIRST_PARTY)


def _listed(kind: Kind, use: str, plugins: Plugins) -> Listed | None:
    return plugins.offers(kind).get(use)
