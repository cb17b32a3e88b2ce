"""The dataset `flickr8k`: 8,000 photographs from Flickr with five captions each, in Karpathy's splits."""

from __future__ import annotations

from kdbench import Dataset, Offer, hookimpl
from kdbench_plugins.datasets.karpathy import About
from kdbench_plugins.datasets.karpathy_dataset import KarpathyDataset

ABOUT = About(
    name="flickr8k",
    variable="KDBENCH_FLICKR8K",
    licence="images under Flickr's terms of use, for non-commercial research and education; captions by Hodosh et al. (2013)",
    obtain=(
        "Get the images from the University of Illinois (Flickr8k, Hodosh et al. 2013; under Flickr's terms, for "
        "non-commercial research), and dataset_flickr8k.json from Karpathy's caption_datasets.zip."
    ),
    published={"train": (6_000, 30_000), "validation": (1_000, 5_000), "test": (1_000, 5_000)},
)


class Flickr8k(KarpathyDataset):
    """`root` is a folder with the dataset in any supported form, detected or named by `form`. `size` is the side in pixels.

    `quarantine` is a file that lists sources of images to leave out, one per line. With `miniature`, a small folder of emoji
    images is created once and used instead of `root`.
    """

    about = ABOUT


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    return [Flickr8k.offer("8,000 photographs with five captions each, Karpathy's splits; reads your files")]
