"""What the open_clip teacher and the open_clip student share: importing it, and its registries of names."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, nearest

SCHEMAS = ("hf-hub:", "local-dir:")  # names that carry their own weights; open_clip resolves them


def import_open_clip() -> Any:
    """The module open_clip. Raises KdbenchError where torch and torchvision were built for different versions."""
    return _import("open_clip")


def import_timm() -> Any:
    """The module timm, which imports torchvision as well."""
    return _import("timm")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        # torchvision registers its operators in a library compiled for one torch; with another, the first is missing.
        if "torchvision::" not in str(error):
            raise
        raise KdbenchError(
            f"{name} cannot be imported: torch {_version('torch')} and torchvision {_version('torchvision')} do not "
            f"belong together ({error}); let pip choose both: pip install --force-reinstall torch torchvision"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def check_model_name(name: str) -> None:
    """Raises KdbenchError with the nearest name where open_clip has no such model."""
    open_clip = import_open_clip()
    if not name.startswith(SCHEMAS) and name.replace("/", "-") not in open_clip.list_models():
        raise KdbenchError(f"open_clip has no model {name!r}; {nearest(name, open_clip.list_models())}")


def check_pretrained(name: str, pretrained: str) -> None:
    """Raises KdbenchError where `pretrained` is neither a tag of that model nor a file."""
    open_clip = import_open_clip()
    if name.startswith(SCHEMAS):
        raise KdbenchError(f"{name!r} brings its own weights; leave out `pretrained` (found {pretrained!r})")
    tags = open_clip.list_pretrained_tags_by_model(name.replace("/", "-"))
    # open_clip reads tags with either sign and in any case: laion400m-e32 and laion400m_e32 are one.
    if pretrained.lower().replace("-", "_") in {tag.lower().replace("-", "_") for tag in tags}:
        return
    if not Path(pretrained).is_file():
        hint = nearest(pretrained, tags) or "the model has no published weights"
        raise KdbenchError(
            f"pretrained weights {pretrained!r} of open_clip's {name!r}: found no such file and no such tag; {hint}"
        )


def brief(error: Exception) -> str:
    """An error of another library in one line; torch lists every key that a state dict lacks."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 400 else text[:399] + "…"


@contextmanager
def hushed() -> Iterator[None]:
    """Keeps open_clip off the root logger: a student is meant to start from random weights, and failures are raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
