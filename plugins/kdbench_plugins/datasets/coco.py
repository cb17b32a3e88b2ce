"""The dataset `coco`: COCO 2014 captions under Karpathy's splits, with five captions per image."""

from __future__ import annotations

from kdbench import Dataset, Offer, hookimpl
from kdbench_plugins.datasets.karpathy import About
from kdbench_plugins.datasets.karpathy_dataset import KarpathyDataset

ABOUT = About(
    name="coco",
    variable="KDBENCH_COCO",
    licence="annotations CC BY 4.0 (COCO Consortium); images under Flickr's terms of use",
    obtain=(
        "Get train2014 and val2014 from cocodataset.org (annotations CC BY 4.0; images under Flickr's terms), and "
        "dataset_coco.json from Karpathy's caption_datasets.zip."
    ),
    # Some images have six or seven captions; all are used.
    published={"train": (113_287, 566_747), "validation": (5_000, 25_010), "test": (5_000, 25_010)},
)


class Coco(KarpathyDataset):
    """`root` is a folder with the dataset in any supported form, detected or named by `form`. `size` is the side in pixels.

    `restval` is part of the train split. `quarantine` is a file that lists sources of images to leave out, one per line. With
    `miniature`, a small folder of emoji images is created once and used instead of `root`.
    """

    about = ABOUT


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    return [Coco.offer("COCO 2014: 123,287 photographs with five captions each, Karpathy's splits; reads your files")]
