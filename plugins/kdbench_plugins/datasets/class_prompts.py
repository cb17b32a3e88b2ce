"""Names of classes and the prompts made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from kdbench import KdbenchError, nearest
from kdbench_plugins.openclip import import_open_clip

Names = Literal["folders", "imagenet"] | Path
Templates = Literal["simple", "openai"] | list[str]
IMAGENET = 1000


def class_names(folders: Sequence[str], names: Names, whose: str) -> list[str]:
    """The name of the class of each folder, in order.

    `folders`: the folder's own, with spaces for underscores. `imagenet`: open_clip's names of the 1,000 classes, in the
    order of their WordNet ids. A file holds a JSON map of folders to names, or a name on each line in the order of folders.
    Raises KdbenchError if there is not one name for each folder.
    """
    if names == "folders":
        return [folder.replace("_", " ") for folder in folders]
    if names == "imagenet":
        if len(folders) != IMAGENET:
            raise KdbenchError(
                f"{whose}: names: imagenet: found {len(folders):,} folders, expected {IMAGENET:,}, one for each class. For a "
                "part of ImageNet, give a JSON file that maps its folders to names"
            )
        return list(import_open_clip().zero_shot_metadata.IMAGENET_CLASSNAMES)
    text = _read(Path(names), whose)
    if Path(names).suffix.lower() == ".json":
        return _mapped(text, folders, f"{whose}: names: {names}")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != len(folders):
        raise KdbenchError(
            f"{whose}: names: {names}: found {len(lines):,} lines, expected {len(folders):,}, one for each folder"
        )
    return lines


def prompt_makers(templates: Templates, whose: str) -> list[Callable[[str], str]]:
    """The templates as functions of a class name: open_clip's 80 of `openai`, its 7 of `simple`, or texts with `{}`.

    Raises KdbenchError for a text without `{}`.
    """
    if isinstance(templates, str):
        metadata = import_open_clip().zero_shot_metadata
        return list(metadata.OPENAI_IMAGENET_TEMPLATES if templates == "openai" else metadata.SIMPLE_IMAGENET_TEMPLATES)
    for template in templates:
        if template.count("{}") != 1:
            raise KdbenchError(f"{whose}: templates: found {template!r}, expected a text with {{}} for the class name, once")
    return [_maker(template) for template in templates]


def _maker(template: str) -> Callable[[str], str]:
    return lambda name: template.replace("{}", name)


def _read(path: Path, whose: str) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise KdbenchError(
            f"{whose}: names: {path} cannot be read ({error}); expected `imagenet`, or a file of names"
        ) from error


def _mapped(text: str, folders: Sequence[str], where: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise KdbenchError(f"{where}: no JSON ({error}); expected a map of folders to class names") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) and name.strip() for name in found.values()):
        raise KdbenchError(
            f"{where}: found {type(found).__name__}; expected a map of folders to class names, none of them empty"
        )
    for folder in folders:
        if folder not in found:
            raise KdbenchError(f"{where}: no name for the folder {folder!r}; {nearest(folder, found)}")
    return [found[folder] for folder in folders]
