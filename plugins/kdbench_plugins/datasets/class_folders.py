"""The dataset `class_folders`: a folder of images for each class, such as ImageNet's, for zero-shot classification."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from kdbench import Dataset, KdbenchError, Offer, Split, SplitName, hookimpl
from kdbench_plugins.datasets.class_miniature import class_miniature
from kdbench_plugins.datasets.class_prompts import Names, Templates, class_names, prompt_makers
from kdbench_plugins.datasets.miniature import check_miniature
from kdbench_plugins.datasets.ondisk import Size, stat_of
from kdbench_plugins.datasets.pictures import decoders
from kdbench_plugins.datasets.split_of_files import is_test, of_files

FORMAT = 1  # raise when this code returns other pixels, prompts or another order for the same files
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})  # torchvision's ImageFolder
WHOSE = "dataset class_folders"


class ClassFolders:
    """`root` holds a folder of images for each class, in the order of folder names (of their numbers, if all are numbers).

    `names` are the names of the classes: `folders`, `imagenet` (open_clip's names of its 1,000 classes), or a file: a JSON map
    of folders to names, or a name on each line. `templates` are the prompts: texts with `{}` for the class name, `openai`
    (open_clip's 80 for ImageNet) or `simple` (7). There is a test split alone. `miniature` is used instead of a folder.
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        names: Names = "folders",
        templates: Templates = ["a photo of a {}."],  # noqa: B006
        size: Size = 256,
        licence: str = "not stated",
        miniature: bool = False,
    ) -> None:
        self._root = class_miniature() if miniature else _folder(root)
        self._names: Names = "folders" if miniature else names
        self._makers = prompt_makers(templates, WHOSE)
        self.size, self.licence = size, licence
        self.fingerprint = self._fingerprint()

    @property
    def files(self) -> list[Path]:
        """Everything that is read: images, and the file of names."""
        return [*([self._names] if isinstance(self._names, Path) else []), *(path for path, _ in self._images)]

    def _fingerprint(self) -> str:
        """A hash of the images' paths, sizes and times, the prompts, and the versions of what decodes images."""
        made_of = {
            "dataset": "class_folders",
            "format": FORMAT,
            "size": self.size,
            "decoders": decoders(),
            "images": [(str(path.relative_to(self._root)), *stat_of(path)) for path, _ in self._images],
            "prompts": self._prompts,
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def split(self, name: SplitName) -> Split:
        """The test split, whose concepts are classes and whose captions are prompts; train and validation are empty."""
        return self._test if is_test(name, WHOSE) else of_files((), (), (), (), self.size)

    @cached_property
    def _test(self) -> Split:
        texts = [text for prompts in self._prompts for text in prompts]
        of = [position for position, prompts in enumerate(self._prompts) for _ in prompts]
        return of_files([path for path, _ in self._images], texts, [place for _, place in self._images], of, self.size)

    @cached_property
    def _classes(self) -> list[Path]:
        found = [entry for entry in self._root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        if not found:
            raise KdbenchError(f"{WHOSE}: root: found no folder in {self._root}, expected one for each class")
        numbered = all(entry.name.isdecimal() for entry in found)  # as in ImageNetV2: 10 is after 9
        return sorted(found, key=lambda entry: (int(entry.name) if numbered else 0, entry.name))

    @cached_property
    def _images(self) -> list[tuple[Path, int]]:
        """The images with the positions of their classes. Raises KdbenchError for a class without one."""
        found = [(path, position) for position, folder in enumerate(self._classes) for path in _images_in(folder)]
        for position in set(range(len(self._classes))) - {position for _, position in found}:
            raise KdbenchError(f"{WHOSE}: found no image in {self._classes[position]}, expected at least one")
        return found

    @cached_property
    def _prompts(self) -> list[list[str]]:
        names = class_names([folder.name for folder in self._classes], self._names, WHOSE)
        return [[make(name) for make in self._makers] for name in names]


def _images_in(folder: Path) -> list[Path]:
    inside = (Path(at, name) for at, _, names in os.walk(folder, followlinks=True) for name in names)
    return sorted(path for path in inside if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _folder(root: Path | None) -> Path:
    if root is None:
        raise KdbenchError(
            f"{WHOSE}: no folder is given; set `root:` to one that holds a folder of images for each class. To try things out "
            "without one: `miniature: true`"
        )
    path = root.expanduser()
    if not path.is_dir():
        raise KdbenchError(f"{WHOSE}: root: {path} is not a folder")
    return path


def check(
    *,
    root: Path | None,
    names: Names,
    templates: Templates,
    size: int,  # noqa: ARG001
    licence: str,  # noqa: ARG001
    miniature: bool,
) -> None:
    """Raises KdbenchError if the folder does not exist, or names or templates do not fit."""
    if miniature:
        check_miniature()
    else:
        ClassFolders(root=root, names=names, templates=templates)


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "a folder of images for each class, such as ImageNet and its shifts, for zero-shot classification"

    def reads(**params: Any) -> list[Path]:
        return ClassFolders(**params).files

    def smoke(params: dict[str, Any]) -> dict[str, Any]:
        return params | {"root": None, "names": "folders", "miniature": True, "size": 64}

    return [
        Offer(
            "class_folders",
            ClassFolders,
            summary,
            check,
            reads=reads,
            example={"miniature": True},
            shown={"root": "imagenet/val", "names": "imagenet", "templates": "openai"},
            smoke=smoke,
            task="zero_shot",
        )
    ]
