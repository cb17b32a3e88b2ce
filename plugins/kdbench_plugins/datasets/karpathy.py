"""Datasets under the Karpathy protocol: detects the form in which a folder holds them."""

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
# In the order of detection. All forms give the same dataset, so the first match is used; a note names the others.
FORMS: dict[Form, tuple[str, Callable[[Path, str], Index | None]]] = {
    "json": ("dataset_{name}.json beside a folder of images", json_index),
    "csv": ("a CSV file with the columns raw, split and filename beside a folder of images", csv_index),
    "webdataset": ("folders train, val and test of webdataset shards", shard_index),
    "parquet": ("Parquet files with the columns image and caption", parquet_index),
}


@dataclass(frozen=True)
class About:
    """What is known about a dataset before it is read. `obtain` tells users what to get, from whom, under which terms."""

    name: Literal["flickr8k", "flickr30k", "coco"]
    variable: str
    licence: str
    obtain: str
    published: dict[SplitName, tuple[int, int]]  # images and captions


def locate(about: About, root: Path | None, form: Form | None) -> Index:
    """The index of the dataset in `root`, by default in the folder that the environment variable names.

    Reads only file names and the header of a CSV file. Raises KdbenchError with instructions if nothing is found.
    """
    given = root or Path(os.environ.get(about.variable) or "")
    source = f"root: {root}" if root else f"{about.variable}={os.environ.get(about.variable, '')}"
    if not root and not os.environ.get(about.variable):
        raise KdbenchError(f"dataset {about.name}: no folder is given. {_how(about)}")
    given = given.expanduser()
    if not given.is_dir():
        raise KdbenchError(f"dataset {about.name}: {source} is not a folder. {_how(about)}")
    for name, (_, index) in FORMS.items():
        found = index(given, about.name) if form in (None, name) else None
        if found is not None:
            found.notes.extend(_others(given, about, name) if form is None else ())
            return found
    wanted = [what.format(name=about.name) for name, (what, _) in FORMS.items() if form in (None, name)]
    held = sorted(path.name for path in given.iterdir())
    shown = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "") if held else "nothing"
    raise KdbenchError(f"dataset {about.name}: {source} holds {shown}; expected {'; or '.join(wanted)}. {_how(about)}")


def _others(root: Path, about: About, used: Form) -> list[str]:
    """A note of the forms beside the one that is used."""
    held = [name for name in list(FORMS)[list(FORMS).index(used) + 1 :] if _holds(root, about, name)]
    return [f"{root} holds the forms {', '.join([used, *held])}; {used} is read, `form:` names another"] if held else []


def _holds(root: Path, about: About, form: Form) -> bool:
    try:
        return FORMS[form][1](root, about.name) is not None
    except KdbenchError:  # several files of a form that differ
        return True


def _how(about: About) -> str:
    return (
        f"{about.obtain} Put both into one folder and set {about.variable} to it, or `root:` beside `use: {about.name}` in the "
        f"suite. To try things out without it: `miniature: true`."
    )
