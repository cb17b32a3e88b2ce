"""The dataset `flickr30k`: 31,783 photographs from Flickr, of which Karpathy's splits use 31,014, with five captions each."""

from __future__ import annotations

from pathlib import Path

from kdbench import Dataset, Offer, hookimpl
from kdbench_plugins.datasets.karpathy import About, Form, locate
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import OnDisk, Size

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


class Flickr30k(OnDisk):
    """`root` holds the dataset in any of the forms, found by looking or named by `form`; `size` is the side in pixels.

    `quarantine` is a file with sources of images to leave out, one a line. With `miniature`, a folder is made of emoji,
    once, and takes the place of all three.
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
            index = locate(ABOUT, miniature_folder("flickr30k"), None)
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
    summary = "31,014 photographs with five captions each, Karpathy's splits; from files that you have"
    small = {"root": None, "form": None, "quarantine": None, "miniature": True, "size": 64}
    return [Offer(ABOUT.name, Flickr30k, summary, check=check, example={"miniature": True}, smoke=lambda _: small)]
