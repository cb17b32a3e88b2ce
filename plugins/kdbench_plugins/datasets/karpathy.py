"""Datasets under the Karpathy protocol, from whatever form their root holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kdbench import KdbenchError, SplitName
from kdbench_plugins.datasets.karpathy_files import csv_index, json_index
from kdbench_plugins.datasets.ondisk import Index
from kdbench_plugins.datasets.parquet import parquet_index
from kdbench_plugins.datasets.shards import shard_index

Form = Literal["json", "csv", "webdataset", "parquet"]
# In the order in which they are looked for; all give the same dataset, so the first will do.
FORMS: dict[Form, tuple[str, Callable[[Path, str], Index | None]]] = {
    "json": ("dataset_{name}.json beside a folder of images", json_index),
    "csv": ("a CSV file with the columns raw, split and filename beside a folder of images", csv_index),
    "webdataset": ("folders train, val and test of webdataset shards", shard_index),
    "parquet": ("Parquet files with the columns image and caption", parquet_index),
}


@dataclass(frozen=True)
class About:
    """What is known of a dataset before anything is read. `obtain` says what to get, from whom, on what terms."""

    name: Literal["flickr30k", "coco"]
    variable: str
    licence: str
    obtain: str
    published: dict[SplitName, tuple[int, int]]  # images and captions


def locate(about: About, root: Path | None, form: Form | None) -> Index:
    """The index of what lies in `root`, by default in the folder that the environment variable names.

    Raises KdbenchError that says what to get and where to put it. Looks at names alone, but for the header of a CSV file.
    """
    given = root or Path(os.environ.get(about.variable) or "")
    told = f"root: {root}" if root else f"{about.variable}={os.environ.get(about.variable, '')}"
    if not root and not os.environ.get(about.variable):
        raise KdbenchError(f"dataset {about.name}: no folder is given. {_how(about)}")
    given = given.expanduser()
    if not given.is_dir():
        raise KdbenchError(f"dataset {about.name}: {told} is not a folder. {_how(about)}")
    for name, (_, index) in FORMS.items():
        found = index(given, about.name) if form in (None, name) else None
        if found is not None:
            return found
    wanted = [what.format(name=about.name) for name, (what, _) in FORMS.items() if form in (None, name)]
    held = sorted(path.name for path in given.iterdir())
    shown = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "") if held else "nothing"
    raise KdbenchError(f"dataset {about.name}: {told} holds {shown}; expected {'; or '.join(wanted)}. {_how(about)}")


def _how(about: About) -> str:
    return (
        f"{about.obtain} Put both into one folder and set {about.variable} to it, or `root:` beside `use: {about.name}` in the "
        f"suite. To try things out without it: `miniature: true`."
    )
