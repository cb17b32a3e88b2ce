"""Where modules lie, found without importing them, and whether they are an author's own or a library's."""

from __future__ import annotations

import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

FIRST_PARTY = ("kdbench", "kdbench_plugins")  # known by version: `Offer.version`, and the FORMAT of what they compute
LIBRARIES = ("site-packages", "dist-packages")
SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES)  # in the order in which Python looks for them


def top(name: str) -> str:
    """The outermost package of a module's name."""
    return name.partition(".")[0]


@cache
def authored(package: str) -> bool:
    """Whether a package of this name is a plugin's, or is an author's own: not one that an installer has copied."""
    if not package or package in sys.stdlib_module_names or package == "__main__":
        return False
    if package in FIRST_PARTY or package in _plugin_packages():
        return True
    found = _spec(package)
    places = [found.origin, *(found.submodule_search_locations or [])] if found else []
    files = [Path(place) for place in places if place and place not in ("built-in", "frozen")]
    return bool(files) and not any(_of_library(package, file) for file in files)


def _of_library(package: str, file: Path) -> bool:
    """Whether an installer has copied a package there, as `pip install --target` does outside the environment, too."""
    if any(part in file.parts for part in LIBRARIES):
        return True
    folder = next((above.parent for above in (file, *file.parents) if above.name == package), file.parent)
    return package in _installed_in(folder)


@cache
def _installed_in(folder: Path) -> frozenset[str]:
    """The packages that installers have listed beside them. One in editable form lies elsewhere and is not listed."""
    found = set()
    for record in folder.glob("*.dist-info/RECORD"):
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            path = line.split(",")[0]
            found.add(path.partition("/")[0] if "/" in path else path.partition(".")[0])
    return frozenset(found)


@cache
def _plugin_packages() -> frozenset[str]:
    return frozenset(top(point.value.partition(":")[0]) for point in entry_points(group="kdbench"))


@cache
def _spec(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package)
    except (ImportError, ValueError, AttributeError):  # ValueError: a module without a spec, such as a notebook's
        return None


def file_of(module: str) -> Path | None:
    """The file of a module, found without importing its parents."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded:
        return Path(loaded)
    package, *rest = module.split(".")
    found = _spec(package)
    if found is None:
        return None
    if not rest:
        return Path(found.origin) if found.has_location and found.origin else None
    for root in found.submodule_search_locations or []:
        base = Path(root, *rest)
        for file in (base / "__init__.py", *(base.with_name(base.name + suffix) for suffix in SUFFIXES)):
            if file.is_file():
                return file
    return None


def forget_modules() -> None:
    """Forgets where modules lie, so that those installed in the meantime are found."""
    for kept in (authored, _spec, _plugin_packages, _installed_in):
        kept.cache_clear()
