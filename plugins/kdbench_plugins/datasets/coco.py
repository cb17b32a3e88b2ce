"""The dataset `coco`: COCO 2014 captions under Karpathy's splits, with five captions each image."""

from __future__ import annotations

from pathlib import Path

from kdbench import Dataset, Offer, hookimpl
from kdbench_plugins.datasets.karpathy import About, Form, locate
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import OnDisk, Size

ABOUT = About(
    name="coco",
    variable="KDBENCH_COCO",
    licence="annotations CC BY 4.0 (COCO Consortium); images under Flickr's terms of use",
    obtain=(
        "Get train2014 and val2014 from cocodataset.org (annotations CC BY 4.0; images under Flickr's terms), and "
        "dataset_coco.json from Karpathy's caption_datasets.zip."
    ),
    # Some images have six or seven captions, and all of them count.
    published={"train": (113_287, 566_747), "validation": (5_000, 25_010), "test": (5_000, 25_010)},
)


class Coco(OnDisk):
    """`root` holds the dataset in any of the forms, found by looking or named by `form`; `size` is the side in pixels.

    `restval` joins the train split. `quarantine` is a file with sources of images to leave out, one a line. With
    `miniature`, a folder is made of emoji, once, and takes the place of all three.
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        form: Form | None = None,
        size: Size = 256,
        quarantine: Path | None = None,
        miniature: bool = False,
    ) -> None:
        if miniature:
            index = locate(ABOUT, miniature_folder("coco"), None)
            super().__init__(ABOUT.name, ABOUT.licence, size, index)
        else:
            super().__init__(ABOUT.name, ABOUT.licence, size, locate(ABOUT, root, form), quarantine, ABOUT.published)


def check(*, root: Path | None, form: Form | None, size: int, quarantine: Path | None, miniature: bool) -> None:  # noqa: ARG001
    """Whether the dataset is there, before a run is planned on it."""
    if miniature:
        check_miniature()
    else:
        locate(ABOUT, root, form)


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "COCO 2014: 123,287 photographs with five captions each, Karpathy's splits; from files that you have"
    small = {"root": None, "form": None, "quarantine": None, "miniature": True, "size": 64}
    return [Offer(ABOUT.name, Coco, summary, check=check, example={"miniature": True}, smoke=lambda _: small)]
