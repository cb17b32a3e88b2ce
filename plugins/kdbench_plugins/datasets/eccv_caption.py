"""The dataset `eccv_caption`: COCO's test images and captions with the judgments of ECCV Caption and CxC."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import Dataset, KdbenchError, Offer, Split, SplitName, hookimpl
from kdbench_plugins.datasets.coco import ABOUT
from kdbench_plugins.datasets.eccv_judgments import FILES, SETS, SPLIT, WHOSE, Ids, judgment_files, read_judgments
from kdbench_plugins.datasets.eccv_miniature import eccv_miniature
from kdbench_plugins.datasets.image_folders import ImageFolders
from kdbench_plugins.datasets.items import captions_of
from kdbench_plugins.datasets.karpathy import locate
from kdbench_plugins.datasets.miniature import check_miniature
from kdbench_plugins.datasets.ondisk import Size, stat_of
from kdbench_plugins.datasets.pictures import decoders
from kdbench_plugins.datasets.split_of_files import is_test, of_files
from kdbench_plugins.tables.json_text import parsed
from kdbench_plugins.tables.table import text_of

if TYPE_CHECKING:
    from kdbench.tasks.judged.judgments import JudgedSets, Judgments

FORMAT = 1  # raise when this code returns other pixels, captions or another order for the same files


class EccvCaption:
    """`root` is a folder with dataset_coco.json and COCO's images, as for `coco`; `judgments` one with the files of the package
    eccv_caption, by default the installed package.

    There is a test split alone: 5,000 images with five captions each, the candidates of all queries. `miniature` is used
    instead of files.
    """

    licence = f"{ABOUT.licence}; judgments MIT (ECCV Caption) and CC BY 4.0 (CxC)"

    def __init__(
        self, *, root: Path | None = None, judgments: Path | None = None, size: Size = 256, miniature: bool = False
    ) -> None:
        if miniature:
            root = eccv_miniature()
        self._judged = {name: root / file for name, file in FILES.items()} if miniature and root else judgment_files(judgments)
        index = locate(ABOUT, root, "json")
        self._root, self._listed = index.root, index.annotations[0]
        self.size = size
        self.fingerprint = self._fingerprint()

    @property
    def files(self) -> list[Path]:
        """Everything that is read: Karpathy's file, the judgments, and images."""
        return [self._listed, *self._judged.values(), *(path for path, _ in self._images.values())]

    def _fingerprint(self) -> str:
        """A hash of the captions, the judgments, the images' names, sizes and times, and the versions of what decodes them."""
        made_of = {
            "dataset": "eccv_caption",
            "format": FORMAT,
            "size": self.size,
            "decoders": decoders(),
            "images": [(image, path.name, *stat_of(path)) for image, (path, _) in self._images.items()],
            "captions": [list(captions.items()) for _, captions in self._images.values()],
            "judgments": [hashlib.sha256(path.read_bytes()).hexdigest() for path in self._judged.values()],
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def split(self, name: SplitName) -> Split:
        """The test split; train and validation are empty."""
        return self._test if is_test(name, WHOSE) else of_files((), (), (), (), self.size)

    @cached_property
    def _test(self) -> Split:
        captions = [(place, one) for place, (_, found) in enumerate(self._images.values()) for one in found.items()]
        return of_files(
            [path for path, _ in self._images.values()],
            [text for _, (_, text) in captions],
            range(len(self._images)),
            [place for place, _ in captions],
            self.size,
            image_ids=tuple(map(str, self._images)),
            caption_ids=tuple(str(caption) for _, (caption, _) in captions),
        )

    @cached_property
    def judgments(self) -> JudgedSets:
        """The judgments as positions in the test split. Raises KdbenchError for a query that is not there.

        Two of ECCV Caption's positives are sixth captions, which are no candidates; its package counts them as not found.
        """
        places = {"i2t": self._test.image_ids, "t2i": self._test.caption_ids}
        known = {way: {int(one): place for place, one in enumerate(ids)} for way, ids in places.items()}
        return {name: self._placed(name, known) for name in SETS}

    def _placed(self, name: str, known: dict[str, dict[int, int]]) -> Judgments:
        import numpy as np

        from kdbench.tasks.judged.judgments import Judgments

        queries, candidates = (known["i2t"], known["t2i"]) if name.endswith("i2t") else (known["t2i"], known["i2t"])
        try:
            found = [
                (queries[query], np.array([candidates.get(one, -1) for one in positives], dtype=np.int64))
                for query, positives in read_judgments(self._judged[name]).items()
            ]
        except KeyError as error:
            raise KdbenchError(f"{self._judged[name]}: found the id {error}, which is none of {self._listed}") from error
        return Judgments(np.array([query for query, _ in found], dtype=np.int64), [positives for _, positives in found])

    @cached_property
    def _images(self) -> dict[int, tuple[Path, dict[int, str]]]:
        """By COCO's id, in its order, the file of each image and its captions by their ids."""
        wanted: Ids = read_judgments(self._judged[SPLIT])
        entries = {entry.get("cocoid"): entry for entry in self._entries}
        if missing := [image for image in wanted if image not in entries]:
            raise KdbenchError(
                f"{self._listed}: found no image of the cocoid {missing[0]} ({len(missing):,} are missing); expected all "
                f"{len(wanted):,} of COCO's test split"
            )
        folders = ImageFolders(self._root, self._listed)
        images = sorted(wanted)
        homes = {str(entries[image].get("filepath") or "") for image in images}
        named = {home: [image for image in images if str(entries[image].get("filepath") or "") == home] for home in homes}
        files = {
            image: path
            for home, chosen in named.items()
            for image, path in zip(chosen, folders.files(home, [entries[one]["filename"] for one in chosen]), strict=True)
        }
        return {image: (files[image], self._captions(entries[image], wanted[image])) for image in images}

    def _captions(self, entry: dict[str, Any], wanted: list[int]) -> dict[int, str]:
        where = f"{self._listed}: {entry['filename']}"
        texts = {sentence["sentid"]: sentence["raw"] for sentence in entry["sentences"]}
        if missing := [one for one in wanted if one not in texts]:
            raise KdbenchError(f"{where}: found no caption of the sentid {missing[0]}; expected {wanted}")
        return {one: captions_of(texts[one], where)[0] for one in sorted(wanted)}

    @property
    def _entries(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = parsed(text_of(self._listed), whole=False)["images"]
            return [entry for entry in found if {"filename", "sentences"} <= entry.keys()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KdbenchError(f"{self._listed}: is not Karpathy's file ({error}): is it truncated?") from error


def check(*, root: Path | None, judgments: Path | None, size: int, miniature: bool) -> None:  # noqa: ARG001
    """Raises KdbenchError if COCO or the judgments are not found, or do not fit each other."""
    if miniature:
        check_miniature()
    else:
        EccvCaption(root=root, judgments=judgments)


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "COCO's test split with judged positives: ECCV Caption (1,261 images, 1,332 captions) and CxC"

    def reads(**params: Any) -> list[Path]:
        return EccvCaption(**params).files

    def smoke(params: dict[str, Any]) -> dict[str, Any]:
        return params | {"root": None, "judgments": None, "miniature": True, "size": 64}

    return [
        Offer(
            "eccv_caption",
            EccvCaption,
            summary,
            check,
            reads=reads,
            example={"miniature": True},
            shown={"root": "coco"},
            smoke=smoke,
            task="judged",
        )
    ]
