"""The dataset `sugarcrepe`: COCO's images, each with captions of which a change of words makes one wrong."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from kdbench import Dataset, KdbenchError, Offer, Split, SplitName, hookimpl
from kdbench_plugins.datasets.image_folders import ImageFolders
from kdbench_plugins.datasets.miniature import check_miniature
from kdbench_plugins.datasets.ondisk import Size, stat_of
from kdbench_plugins.datasets.pictures import decoders
from kdbench_plugins.datasets.split_of_files import is_test, of_files
from kdbench_plugins.datasets.sugarcrepe_files import Pair, files_in, read_pairs
from kdbench_plugins.datasets.sugarcrepe_miniature import sugarcrepe_miniature

FORMAT = 1  # raise when this code returns other pixels, captions or another order for the same files
WHOSE = "dataset sugarcrepe"
WRONG = -1  # the concept of wrong captions, which no image has


class SugarCrepe:
    """`root` holds SugarCrepe's seven JSON files, `images` the images of COCO's val2017, by default beside them.

    There is a test split alone: each item's right caption, followed by its wrong one. An image that several items share is
    there once, and is the concept of its right captions. `miniature` is used instead of files.
    """

    licence = "captions MIT (SugarCrepe); images under Flickr's terms of use"

    def __init__(
        self, *, root: Path | None = None, images: Path | None = None, size: Size = 256, miniature: bool = False
    ) -> None:
        if miniature:
            root, images = sugarcrepe_miniature(), None
        self._listed, self._home = _places(root, images)
        self.size = size
        self.fingerprint = self._fingerprint()

    @property
    def files(self) -> list[Path]:
        """Everything that is read: the seven files, and images."""
        return [*self._listed, *self._images.values()]

    def _fingerprint(self) -> str:
        """A hash of the items, the images' names, sizes and times, and the versions of what decodes images."""
        made_of = {
            "dataset": "sugarcrepe",
            "format": FORMAT,
            "size": self.size,
            "decoders": decoders(),
            "images": [(name, *stat_of(path)) for name, path in self._images.items()],
            "items": [(pair.id, pair.filename, pair.captions) for pair in self._pairs],
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def split(self, name: SplitName) -> Split:
        """The test split; train and validation are empty."""
        return self._test if is_test(name, WHOSE) else of_files((), (), (), (), self.size)

    @cached_property
    def _test(self) -> Split:
        place = {name: position for position, name in enumerate(self._images)}
        return of_files(
            self._images.values(),
            [caption for pair in self._pairs for caption in pair.captions],
            range(len(place)),
            [concept for pair in self._pairs for concept in (place[pair.filename], WRONG)],
            self.size,
            image_ids=tuple(place),
            caption_ids=tuple(f"{pair.id}#{position}" for pair in self._pairs for position in range(2)),
        )

    @cached_property
    def _pairs(self) -> list[Pair]:
        """The items of all files, in the order of the files' names."""
        return [pair for path in self._listed for pair in read_pairs(path)]

    @cached_property
    def _images(self) -> dict[str, Path]:
        """The file of every image, in the order of names. Raises KdbenchError if there is none of them."""
        names = sorted({pair.filename for pair in self._pairs})
        return dict(zip(names, ImageFolders(self._home, self._listed[0]).files("val2017", names), strict=True))


def _places(root: Path | None, images: Path | None) -> tuple[list[Path], Path]:
    """The seven files, and the folder of the images or one that holds it."""
    if root is None:
        raise KdbenchError(
            f"{WHOSE}: no folder is given; set `root:` to one with add_att.json and the six other files of SugarCrepe, and "
            "`images:` to COCO's val2017. To try things out without them: `miniature: true`"
        )
    for name, path in (("root", root), ("images", images or root)):
        if not path.expanduser().is_dir():
            raise KdbenchError(f"{WHOSE}: {name}: {path} is not a folder")
    return files_in(root.expanduser()), (images or root).expanduser()


def check(*, root: Path | None, images: Path | None, size: int, miniature: bool) -> None:  # noqa: ARG001
    """Raises KdbenchError if files are missing or cannot be read, or none of the images is there."""
    if miniature:
        check_miniature()
    else:
        SugarCrepe(root=root, images=images)


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "SugarCrepe: 7,511 captions of COCO's val2017 against captions with a word added, replaced or swapped"

    def reads(**params: Any) -> list[Path]:
        return SugarCrepe(**params).files

    def smoke(params: dict[str, Any]) -> dict[str, Any]:
        return params | {"root": None, "images": None, "miniature": True, "size": 64}

    return [
        Offer(
            "sugarcrepe",
            SugarCrepe,
            summary,
            check,
            reads=reads,
            example={"miniature": True},
            shown={"root": "sugar-crepe/data", "images": "coco/val2017"},
            smoke=smoke,
            task="compositional",
        )
    ]
