"""The dataset `flickr30k`: 31,783 photographs from Flickr, of which Karpathy's splits use 31,014, with five captions each."""

from __future__ import annotations

from kdbench import Dataset, Offer, hookimpl
from kdbench_plugins.datasets.karpathy import About
from kdbench_plugins.datasets.karpathy_dataset import KarpathyDataset

ABOUT = About(
    name="flickr30k",
    variable="KDBENCH_FLICKR30K",
    licence="images under Flickr's terms of use, for non-commercial research and education; captions by Young et al. (2014)",
    obtain=(
        "Get the images with the request form of the University of Illinois (Flickr30k, Young et al. 2014; under Flickr's "
        "terms, for non-commercial research), and dataset_flickr30k.json from Karpathy's caption_datasets.zip."
    ),
    published={"train": (29_000, 145_000), "validation": (1_014, 5_070), "test": (1_000, 5_000)},
)


class Flickr30k(KarpathyDataset):
    """`root` is a folder with the dataset in any supported form, detected or named by `form`. `size` is the side in pixels.

    `quarantine` is a file that lists sources of images to leave out, one per line. With `miniature`, a small folder of emoji
    images is created once and used instead of `root`.
    """

    about = ABOUT


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    return [Flickr30k.offer("31,014 photographs with five captions each, Karpathy's splits; reads your files")]
