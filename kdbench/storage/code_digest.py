"""The source behind an object of a plugin: a digest over its module and the modules of its package that this one imports.

Source files are read, not imported. Modules of installed libraries are left out: records name their versions. Modules found
elsewhere (a package installed in editable form, a file on the path) belong to the author and count.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from functools import cache, partial
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdbench.storage.digest import digest_of
from kdbench.storage.imported_modules import parsed, prefixes

FIRST_PARTY = ("kdbench", "kdbench_plugins")  # known by version: `Offer.version`, and the FORMAT of what they compute
LIBRARIES = ("site-packages", "dist-packages")


def code_digest(objects: Iterable[object], first_party: bool = False) -> str:
    """A digest over the source of classes, functions, modules or instances; "" if all are of a library or of no file.

    Those of kdbench are left out too, unless `first_party` is true. Digests are kept for the process: they are those of the
    code that it has loaded.
    """
    objects = list(objects)
    modules = {module for found in objects for module in _modules(found)}
    wanted = {name for name in modules if _authored(_top(name)) and (first_party or _top(name) not in FIRST_PARTY)}
    known = {name: _of_module(name) for name in sorted(wanted)}
    found = {name: digest for name, digest in known.items() if digest}
    given = [_given(one) for one in objects if isinstance(one, partial)]
    return digest_of([found, *given]) if found else ""


def forget_code() -> None:
    """Forgets all digests, so that files edited in the meantime are read again."""
    for kept in (_of_module, parsed, _authored, _spec, _plugin_packages):
        kept.cache_clear()


def _given(found: partial[Any]) -> list[str]:
    """The arguments of a partial function, as far as they are plain values: others may name an address."""
    values = [("", value) for value in found.args] + sorted(found.keywords.items())
    return [f"{name}={value!r}" for name, value in values if value is None or isinstance(value, str | int | float)]


def _modules(found: Any) -> list[str]:
    """Names of the modules in which an object, its class and the classes it inherits from are defined."""
    if isinstance(found, partial):
        return _modules(found.func)
    if inspect.ismodule(found):
        return [found.__name__]
    if inspect.isfunction(found) or inspect.isbuiltin(found):
        return [found.__module__ or ""]
    if inspect.ismethod(found):
        return [*_modules(found.__func__), *_modules(found.__self__)]
    return [one.__module__ for one in (found if inspect.isclass(found) else type(found)).__mro__]


@cache
def _of_module(name: str) -> str:
    """The digest of a module with everything of its author that it imports."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found or not _followed(name, module):
            continue
        file = _file(module)
        if file is not None:
            found[module], imported = parsed(module, file)
            waiting += imported
    return digest_of(found) if found else ""


def _followed(name: str, module: str) -> bool:
    """Whether a module counts for one that imports it. kdbench's own plugins import the core, which has its own version."""
    if _top(name) in FIRST_PARTY:
        depth = 1 if _top(name) == "kdbench_plugins" else 3  # kdbench.tasks.retrieval
        return prefixes(module)[:depth][-1] == prefixes(name)[:depth][-1]
    return _top(module) not in FIRST_PARTY and _authored(_top(module))


@cache
def _authored(top: str) -> bool:
    """Whether a package of this name is a plugin's or lies outside the libraries of this environment."""
    if not top or top in sys.stdlib_module_names or top == "__main__":
        return False
    if top in FIRST_PARTY or top in _plugin_packages():
        return True
    found = _spec(top)
    places = [found.origin, *(found.submodule_search_locations or [])] if found else []
    files = [place for place in places if place and place not in ("built-in", "frozen")]
    return bool(files) and not any(part in Path(file).parts for file in files for part in LIBRARIES)


@cache
def _plugin_packages() -> frozenset[str]:
    return frozenset(_top(point.value.partition(":")[0]) for point in entry_points(group="kdbench"))


@cache
def _spec(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError, AttributeError):  # ValueError: a module without a spec, such as a notebook's
        return None


def _file(module: str) -> Path | None:
    """The file of a module, found without importing its parents."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded:
        return Path(loaded)
    top, *rest = module.split(".")
    found = _spec(top)
    if found is None:
        return None
    if not rest:
        return Path(found.origin) if found.has_location and found.origin else None
    for root in found.submodule_search_locations or []:
        base = Path(root, *rest)
        for file in (base / "__init__.py", *(base.with_name(base.name + suffix) for suffix in (".py", *EXTENSION_SUFFIXES))):
            if file.is_file():
                return file
    return None


def _top(name: str) -> str:
    return name.partition(".")[0]
