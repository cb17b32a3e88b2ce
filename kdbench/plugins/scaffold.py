"""Writes a package with a minimal, conforming plugin of one kind as a starting point."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Kind, installed

TEMPLATES = files("kdbench.plugins") / "templates"
SUFFIX = ".template"  # templates are not valid Python; the suffix keeps tools from reading them
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
LONGEST = 40


def kinds() -> list[str]:
    """The kinds that have a template."""
    return sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir() and folder.name != "common")


def write_package(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Writes `kdbench-<name>/` into `folder` and returns its files.

    Raises KdbenchError for a kind without a template, for a name that is invalid or already offered, and if the package
    exists: nothing is overwritten.
    """
    if kind not in kinds():
        raise KdbenchError(f"there is no template for {kind!r}; expected one of {', '.join(kinds())}")
    _check_name(kind, name)
    package = folder / f"kdbench-{name}"
    if package.exists():
        raise KdbenchError(f"{package} exists already; nothing was written: choose another name or remove it first")
    module = "kdbench_" + name.replace("-", "_").lower()
    values = {"kind": kind, "name": name, "module": module}
    written = []
    for source in (TEMPLATES / "common", TEMPLATES / kind):
        for path, template in _templates(source):
            target = package / path.replace("module", module)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(target)
    return sorted(written)


def _check_name(kind: Kind, name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise KdbenchError(
            f"the name {name!r} is invalid; expected letters and digits, in parts joined by - or _, beginning with a letter, "
            f"{LONGEST} characters at most"
        )
    for other, listed in installed().offers(kind).items():
        # Names that differ only in case or in - and _ are easily confused, and pip treats them as equal.
        if _plain(other) == _plain(name):
            raise KdbenchError(f"{listed.provider} already offers the {kind} {other!r}; choose another name")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _templates(folder: Traversable, path: str = "") -> list[tuple[str, Traversable]]:
    """The templates under a folder, with the relative paths of their outputs."""
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _templates(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            found.append((path + entry.name.removesuffix(SUFFIX), entry))
    return found
