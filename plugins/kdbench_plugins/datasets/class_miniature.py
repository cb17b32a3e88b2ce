"""A miniature of `class_folders`: groups of emoji as classes, for trials and tests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from kdbench_plugins.datasets.miniature import made_folder

CLASSES, EACH = 8, 4
FORMAT = 1  # raise when this code draws another miniature


def class_miniature() -> Path:
    """The folder with the miniature, drawn from the dataset `emoji` on first use. Raises KdbenchError as `made_folder` does."""
    return made_folder(f"class_folders-{FORMAT}", write_classes)


def write_classes(folder: Path) -> None:
    """Writes the largest groups of emoji of the test split as classes, with some drawings each."""
    from PIL import Image

    for group, pictures in islice(_groups(), CLASSES):
        home = folder / group.replace(" ", "_")
        home.mkdir(parents=True)
        for position, picture in enumerate(pictures):
            Image.fromarray(picture).save(home / f"{position}.png")


def _groups() -> Iterator[tuple[str, list[Any]]]:
    from kdbench_plugins.datasets.emoji import Emoji
    from kdbench_plugins.datasets.emoji_concepts import concepts

    split = Emoji(size=128).split("test")
    found: dict[str, list[int]] = {}
    for place, concept in enumerate(split.image_concepts.tolist()):
        found.setdefault(concepts()[concept].group, []).append(place)
    for group, places in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        yield group, [split.images[place] for place in places[:EACH]]
