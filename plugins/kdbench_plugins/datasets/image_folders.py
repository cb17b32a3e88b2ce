"""Where the images of a table lie: in the folders that copies of Flickr8k, Flickr30k and COCO have."""

from __future__ import annotations

import filecmp
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kdbench import KdbenchError

FOLDERS = (
    *("", "images", "flickr30k-images", "flickr30k_images", "Images", "train2014", "val2014", "val2017"),
    *("Flickr8k_Dataset", "Flicker8k_Dataset"),  # the second is the spelling of the original archive
)
COMPARED = 50  # images in several folders whose bytes are compared; of the others, only the sizes are


class ImageFolders:
    """The image files below `root` that `table` names."""

    def __init__(self, root: Path, table: Path) -> None:
        self._root = root
        self._table = table
        self._compared = 0

    def files(self, filepath: str, names: Sequence[str]) -> list[Path]:
        """The file of every name, preferably in a folder `filepath`.

        A missing image gets the path beside most others; reading it raises an error. Raises KdbenchError if there is none of
        the images, and if two folders hold different images of one name.
        """
        named = _existing(self._root / folder / filepath for folder in FOLDERS) if filepath else []
        others = _existing(self._root / folder for folder in FOLDERS)
        homes = [self._home(name, named) or self._home(name, others) for name in names]
        counted = Counter(home for home in homes if home is not None)
        if not counted:
            looked = ", ".join(map(str, [*named, *others]))
            raise KdbenchError(
                f"{self._table}: found none of its images, such as {filepath + '/' if filepath else ''}{names[0]}; looked in "
                f"{looked}; put the image folder there or set root: to the folder that holds both"
            )
        usual = counted.most_common(1)[0][0]
        return [(home or usual) / name for home, name in zip(homes, names, strict=True)]

    def _home(self, name: str, folders: Sequence[Path]) -> Path | None:
        """The folder that holds an image. Raises KdbenchError if another one holds a different image of that name."""
        holding = [folder for folder in folders if os.path.isfile(folder / name)]
        for other in holding[1:]:
            if not self._same(holding[0] / name, other / name):
                raise KdbenchError(
                    f"{self._table}: found two different images {name}, in {holding[0]} and in {other}; expected one. Move the "
                    "folder that is not meant out of root:"
                )
        return holding[0] if holding else None

    def _same(self, one: Path, other: Path) -> bool:
        if os.path.samefile(one, other):
            return True
        if one.stat().st_size != other.stat().st_size:
            return False
        self._compared += 1
        return self._compared > COMPARED or filecmp.cmp(one, other, shallow=False)


def _existing(folders: Iterable[Path]) -> list[Path]:
    """The folders that exist, each once whatever its paths."""
    return list({folder.resolve(): folder for folder in reversed([*folders]) if folder.is_dir()}.values())[::-1]
