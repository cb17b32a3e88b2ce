"""Common code of the open_clip teacher and student: importing open_clip, and its registries of names."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench.errors import ParameterError

INTENDED = ("No pretrained weights loaded for model", "initialized partially", "but no CLIP weights found in")
SCHEMAS = ("hf-hub:", "local-dir:")  # names that carry their own weights; open_clip resolves them


def import_open_clip() -> Any:
    """The module open_clip. Raises KdbenchError if torch and torchvision do not match."""
    return _import("open_clip")


def import_timm() -> Any:
    """The module timm, which imports torchvision as well."""
    return _import("timm")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        # torchvision registers its operators in a library compiled for one version of torch; with another, they are missing.
        if "torchvision::" not in str(error):
            raise
        pair = f"torch {package_version('torch')} and torchvision {package_version('torchvision')}"
        raise KdbenchError(
            f"{name} cannot be imported: {pair} do not belong together ({error}); let pip choose both: "
            "pip install --force-reinstall torch torchvision"
        ) from error


def model_config(model: str) -> dict[str, Any]:
    """The config of a model in open_clip's registry, a folder or a hub repository; raises what open_clip raises."""
    config: dict[str, Any] = import_open_clip().get_model_config(model if ":" in model else model.replace("/", "-"))
    return config


def versions(config: dict[str, Any]) -> dict[str, str]:
    """Versions of the libraries that build a model of this config or preprocess for it: their code is part of what it computes.

    torch, torchvision and Pillow are left out: other versions of them compute the same function, up to rounding.
    """
    packages = ["open_clip_torch"]
    if config.get("vision_cfg", {}).get("timm_model_name"):
        packages.append("timm")
    if config.get("text_cfg", {}).get("hf_model_name"):
        packages.append("transformers")
    return {package: package_version(package) for package in packages}


def package_version(package: str) -> str:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def weight_files(model: str, pretrained: str) -> list[Path]:
    """Where the weights lie: a folder, a checkpoint, or what has been downloaded of a repository of the hub.

    Raises KdbenchError if they have not been downloaded yet, and for tags whose weights are not in a repository.
    """
    if model.startswith("local-dir:"):
        return [Path(model.removeprefix("local-dir:"))]
    if pretrained and Path(pretrained).is_file():
        return [Path(pretrained)]
    repository = model.removeprefix("hf-hub:")
    if not model.startswith("hf-hub:"):
        repository = str(import_open_clip().get_pretrained_cfg(model, pretrained).get("hf_hub", ""))
    owner, _, name = repository.strip("/").partition("/")
    from huggingface_hub.constants import HF_HUB_CACHE

    kept = Path(HF_HUB_CACHE, f"models--{owner}--{name.partition('/')[0].partition('@')[0]}")
    newest = kept / "refs" / "main"
    if not newest.is_file():
        raise KdbenchError(f"{model} {pretrained}: has not been downloaded yet")
    return [kept / "snapshots" / newest.read_text(encoding="utf-8").strip()]


def check_model_name(name: str) -> None:
    """Raises KdbenchError with the nearest name if open_clip has no such model."""
    open_clip = import_open_clip()
    if not name.startswith(SCHEMAS) and name.replace("/", "-") not in open_clip.list_models():
        raise KdbenchError(f"open_clip has no model {name!r}; {nearest(name, open_clip.list_models())}")


def check_pretrained(name: str, pretrained: str) -> None:
    """Raises KdbenchError unless `pretrained` is a tag of that model or a file."""
    open_clip = import_open_clip()
    if name.startswith(SCHEMAS):
        raise KdbenchError(f"{name!r} brings its own weights; leave out `pretrained` (found {pretrained!r})")
    tags = open_clip.list_pretrained_tags_by_model(name.replace("/", "-"))
    # open_clip accepts tags with - or _ and in any case: laion400m-e32 equals laion400m_e32.
    if pretrained.lower().replace("-", "_") in {tag.lower().replace("-", "_") for tag in tags}:
        _check_activation(name, pretrained)
        return
    if not Path(pretrained).is_file():
        hint = nearest(pretrained, tags) or "the model has no published weights"
        raise KdbenchError(
            f"pretrained weights {pretrained!r} of open_clip's {name!r}: found no such file and no such tag; {hint}"
        )


def _check_activation(name: str, tag: str) -> None:
    """Raises KdbenchError if a tag's weights were trained with another activation than the model has.

    open_clip only warns about it. Shapes agree, so the weights load, and every embedding is wrong. A tag that says nothing, of
    a model that has QuickGELU (roberta-ViT-B-32), passes, and open_clip's warning is shown.
    """
    open_clip = import_open_clip()
    own = name.replace("/", "-")
    told = open_clip.get_pretrained_cfg(own, tag).get("quick_gelu")
    trained, built = bool(told), bool(open_clip.get_model_config(own).get("quick_gelu", False))
    if trained == built or told is None:
        return
    activations = {True: "QuickGELU", False: "GELU"}
    other = own.removesuffix("-quickgelu") if built else f"{own}-quickgelu"
    fits = other in open_clip.list_models() and bool(open_clip.get_model_config(other).get("quick_gelu", False)) == trained
    hint = f"write model: {other}" if fits else "open_clip has no such model for these weights"
    message = (
        f"pretrained weights {tag!r} of open_clip's {name!r}: found weights trained with {activations[trained]}; expected "
        f"{activations[built]}, the activation of {name!r}. With another activation every embedding is wrong; {hint}"
    )
    expected = f"a model with {activations[trained]}, with which its weights {tag!r} were trained"
    raise ParameterError(message, ("model",), name, expected, f"With another activation every embedding is wrong; {hint}")


def brief(error: Exception) -> str:
    """An error of another library in one line; torch lists every key that a state dict lacks."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 400 else text[:399] + "…"


@contextmanager
def hushed() -> Iterator[None]:
    """Suppresses open_clip's log messages about intended random weights, and errors, which raise exceptions as well.

    Its other warnings pass.
    """
    silent = logging.NullHandler()  # without any handler, logging would install one that prints
    logging.root.addHandler(silent)
    logging.root.addFilter(_worth_telling)
    try:
        yield
    finally:
        logging.root.removeFilter(_worth_telling)
        logging.root.removeHandler(silent)


def _worth_telling(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR and not any(text in record.getMessage() for text in INTENDED)
