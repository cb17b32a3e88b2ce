"""The source behind an object of a plugin: a digest over its module and the modules of its package that this one imports.

Source files are read, not imported. Modules of installed libraries are left out: records name their versions. Modules found
elsewhere (a package installed in editable form, a file on the path) belong to the author and count; a compiled module counts by
its bytes. A package of one's own that is installed as a library therefore has another digest than in editable form: told
as a difference, unless it offers plugins itself and counts in either form.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

from kdbench.storage.digest import digest_of
from kdbench.storage.imported_modules import parsed, prefixes
from kdbench.storage.module_files import FIRST_PARTY, authored, file_of, forget_modules, top

GENERATED = "._version"  # written by setuptools-scm, hatch-vcs, versioneer: another one in each build; `Part.version` has it


def code_digest(objects: Iterable[object], first_party: bool = False) -> str:
    """A digest over the source of classes, functions, modules or instances; "" if all are of a library or of no file.

    Those of kdbench are left out too, unless `first_party` is true. Digests are kept for the process: they are those of the
    code that it has loaded.
    """
    objects = list(objects)
    modules = {module for found in objects for module in _modules(found)}
    wanted = {name for name in modules if authored(top(name)) and (first_party or top(name) not in FIRST_PARTY)}
    known = {name: _of_module(name) for name in sorted(wanted)}
    found = {name: digest for name, digest in known.items() if digest}
    given = [_given(one) for one in objects if isinstance(one, partial)]
    return digest_of([found, *given]) if found else ""


def forget_code() -> None:
    """Forgets all digests, so that files edited in the meantime are read again."""
    for kept in (_of_module, parsed):
        kept.cache_clear()
    forget_modules()


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
    found = {module: digest for module, (_, digest) in sources_of(name).items()}
    return digest_of(found) if found else ""


def sources_of(name: str) -> dict[str, tuple[Path, str]]:
    """File and digest of a module and of everything of its author that it imports, by module."""
    found: dict[str, tuple[Path, str]] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found or not _followed(name, module) or module.endswith(GENERATED):
            continue
        file = file_of(module)
        if file is not None:
            digest, imported = parsed(module, file)
            found[module] = file, digest
            waiting += imported
    return found


def _followed(name: str, module: str) -> bool:
    """Whether a module counts for one that imports it. kdbench's own plugins import the core, which has its own version."""
    if top(name) in FIRST_PARTY:
        depth = 1 if top(name) == "kdbench_plugins" else 3  # kdbench.tasks.retrieval
        return prefixes(module)[:depth][-1] == prefixes(name)[:depth][-1]
    return top(module) not in FIRST_PARTY and authored(top(module))
