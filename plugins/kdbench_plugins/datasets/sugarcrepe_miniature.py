"""A miniature of SugarCrepe, for trials and tests: emoji, each with its caption and that of another one."""

from __future__ import annotations

import json
from pathlib import Path

from kdbench.tasks.compositional.metrics import KINDS
from kdbench_plugins.datasets.miniature import made_folder, pictured

IMAGES, EACH = 12, 4  # images, and items of each kind
FORMAT = 1  # raise when this code draws another miniature


def sugarcrepe_miniature() -> Path:
    """The folder with the miniature, drawn from the dataset `emoji` on first use. Raises KdbenchError as `made_folder` does."""
    return made_folder(f"sugarcrepe-{FORMAT}", write_sugarcrepe)


def write_sugarcrepe(folder: Path) -> None:
    """Writes val2017/ and seven files in the form of SugarCrepe. Kinds are names alone; images have two or three items."""
    from PIL import Image

    drawn = list(pictured("test", IMAGES))
    names = [f"{position:012d}.jpg" for position in range(len(drawn))]
    (folder / "val2017").mkdir(parents=True)
    for name, (picture, _) in zip(names, drawn, strict=True):
        Image.fromarray(picture).save(folder / "val2017" / name, quality=92)
    for number, kind in enumerate(KINDS):
        places = [(number * EACH + position) % len(drawn) for position in range(EACH)]
        items = {
            str(position): {
                "filename": names[place],
                "caption": drawn[place][1][0],
                "negative_caption": drawn[(place + 1 + number) % len(drawn)][1][0],
            }
            for position, place in enumerate(places)
        }
        (folder / f"{kind}.json").write_text(json.dumps(items, indent=4, ensure_ascii=False), encoding="utf-8")
