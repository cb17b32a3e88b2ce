"""A miniature of COCO with judgments, for trials and tests: emoji, of which some also fit the captions of others."""

from __future__ import annotations

import json
from pathlib import Path

from kdbench_plugins.datasets.eccv_judgments import FILES, SPLIT
from kdbench_plugins.datasets.miniature import CAPTIONS, made_folder, pictured, write_miniature

IMAGES = 12
FORMAT = 1  # raise when this code draws another miniature


def eccv_miniature() -> Path:
    """The folder with the miniature, drawn from the dataset `emoji` on first use. Raises KdbenchError as `made_folder` does."""
    return made_folder(f"eccv_caption-{FORMAT}", write_eccv)


def write_eccv(folder: Path) -> None:
    """Writes dataset_coco.json with val2014/ and the judgments, which give some queries the positives of others, too."""
    write_miniature(folder, {"test": list(pictured("test", IMAGES))}, "coco")
    own = {image: [image * CAPTIONS + place for place in range(CAPTIONS)] for image in range(IMAGES)}
    maps: dict[str, dict[int, list[int]]] = {
        SPLIT: own,
        "eccv_i2t": {image: own[image] + own[(image + 1) % IMAGES][: 1 + image % 4] for image in range(0, IMAGES, 3)},
        "eccv_t2i": {c: sorted({c // CAPTIONS, (c // CAPTIONS + c % 3) % IMAGES}) for c in range(0, IMAGES * CAPTIONS, 4)},
        "cxc_i2t": {image: [*captions, (image * CAPTIONS + 7) % (IMAGES * CAPTIONS)] for image, captions in own.items()},
        "cxc_t2i": {c: [c // CAPTIONS] for c in range(IMAGES * CAPTIONS - 1)},
    }
    for name, file in FILES.items():
        (folder / file).write_text(json.dumps(maps[name]), encoding="utf-8")
