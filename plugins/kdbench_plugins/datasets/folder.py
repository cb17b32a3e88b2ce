"""The dataset `folder`: your own images and captions, listed in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kdbench import Dataset, KdbenchError, Offer, hookimpl
from kdbench_plugins.datasets.folder_table import Columns, read_items
from kdbench_plugins.datasets.items import Item
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import Index, OnDisk, Size

SHARE = 0.5
Share = Annotated[float, Field(gt=0, le=1)]


class Folder(OnDisk):
    """`table` is a CSV, TSV, JSONL, JSON or Parquet file; `image`, `caption`, `split` and `concept` name its columns.

    Image paths are relative to `root`, by default the table's folder. A caption is a string or a list of strings, in a text
    cell a JSON list; an image may have several rows. Tables are read strictly: RFC 4180, JSON with every key once.
    Without a `concept` column every image is its own concept; with one, images of a concept match each other's captions. The
    other parameters are those of `flickr30k`; `miniature` is used instead of the table.

    `synthetic` names a column of captions that a model wrote. They are of the train split alone, where an image that has some
    is shown with one of them with probability `synthetic_share`; such a cell may be empty.
    """

    def __init__(
        self,
        *,
        table: Path | None = None,
        root: Path | None = None,
        image: str = "image",
        caption: str = "caption",
        split: str = "split",
        concept: str | None = None,
        synthetic: str | None = None,
        synthetic_share: Share = SHARE,
        size: Size = 256,
        quarantine: Path | None = None,
        licence: str = "not stated",
        miniature: bool = False,
    ) -> None:
        if miniature:
            table, root, quarantine = miniature_folder("folder") / "table.csv", None, None
            image, caption, split, concept, synthetic = "image", "caption", "split", None, None
        path, base = _places(table, root)
        columns = Columns(image, caption, split, concept, synthetic)
        index = Index(base, (path,), (), lambda: self._read_table(path, base, columns))
        drawn = {"synthetic_share": synthetic_share} if synthetic else {}
        settings = {"columns": columns.as_list(), **drawn}
        super().__init__("folder", licence, size, index, quarantine, settings=settings, synthetic_share=synthetic_share)

    def _read_table(self, path: Path, base: Path, columns: Columns) -> list[Item]:
        items = read_items(path, base, columns)
        if columns.synthetic:
            counts = [len(item.synthetic) for item in items if item.split == "train"]
            if not any(counts):
                raise KdbenchError(f"{path}: {columns.synthetic}: found no caption of a train image; expected some")
            images = sum(map(bool, counts))
            self._index.notes.append(f"{sum(counts):,} synthetic captions of {images:,} of {len(counts):,} train images")
        return items


def _places(table: Path | None, root: Path | None) -> tuple[Path, Path]:
    """The table and the folder of the images."""
    if table is None:
        raise KdbenchError(
            "dataset folder: no table is given; set `table:` to a CSV, JSONL or Parquet file with the columns image, caption "
            "and split. To try things out without one: `miniature: true`"
        )
    path = table.expanduser()
    if not path.is_file():
        raise KdbenchError(f"dataset folder: table: there is no file {path}")
    base = (root or path.parent).expanduser()
    if not base.is_dir():
        raise KdbenchError(f"dataset folder: root: {base} is not a folder; image paths are relative to it")
    return path, base


def check(
    *,
    table: Path | None,
    root: Path | None,
    image: str,  # noqa: ARG001
    caption: str,
    split: str,  # noqa: ARG001
    concept: str | None,  # noqa: ARG001
    synthetic: str | None,
    synthetic_share: float,
    size: int,  # noqa: ARG001
    quarantine: Path | None,  # noqa: ARG001
    licence: str,  # noqa: ARG001
    miniature: bool,
) -> None:
    """Raises KdbenchError if the table or the folder does not exist, or if synthetic captions are the others, or none."""
    if synthetic is not None and synthetic == caption:
        raise KdbenchError(f"dataset folder: synthetic: found {synthetic!r}, the column of `caption:`; expected another one")
    if synthetic is None and synthetic_share != SHARE:
        raise KdbenchError(
            f"dataset folder: synthetic_share: found {synthetic_share} without `synthetic:`; expected a column there"
        )
    if miniature:
        check_miniature()
    else:
        _places(table, root)


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "your own images and captions, listed in a CSV, JSONL or Parquet table"
    small = {"miniature": True, "size": 64}

    def reads(**params: Any) -> list[Path]:
        return Folder(**params).files

    example, shown = {"miniature": True}, {"table": "mine.csv"}
    return [Offer("folder", Folder, summary, check, reads=reads, example=example, shown=shown, smoke=lambda _: small)]
