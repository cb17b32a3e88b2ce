"""The dataset `coco`: COCO 2014 captions under Karpathy's splits, with five captions each image."""

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
    # Some images have six or seven captions, and all of them count.
    published={"train": (113_287, 566_747), "validation": (5_000, 25_010), "test": (5_000, 25_010)},
)


class Coco(KarpathyDataset):
    """`root` holds the dataset in any of the forms, found by looking or named by `form`; `size` is the side in pixels.

    `restval` joins the train split. `quarantine` is a file with sources of images to leave out, one a line. With
    `miniature`, a folder is made of emoji, once, and takes the place of all three.
    """

    about = ABOUT


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    return [Coco.offer("COCO 2014: 123,287 photographs with five captions each, Karpathy's splits; from files that you have")]
