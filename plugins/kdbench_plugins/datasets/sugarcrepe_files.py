"""SugarCrepe's seven JSON files: items of an image's name, its caption and a wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench import KdbenchError
from kdbench.tasks.compositional.metrics import KINDS
from kdbench_plugins.datasets.items import captions_of
from kdbench_plugins.datasets.texts import name_fault
from kdbench_plugins.tables.json_text import JsonFault, parsed
from kdbench_plugins.tables.table import text_of

FIELDS = ("filename", "caption", "negative_caption")


@dataclass(frozen=True, slots=True)
class Pair:
    """An item. `id` is its kind and its key in the file; `captions` are the right and the wrong one."""

    id: str
    filename: str
    captions: tuple[str, str]


def files_in(root: Path) -> list[Path]:
    """The files of all kinds in `root` or in its folder `data`. Raises KdbenchError if one is missing."""
    home = root / "data" if (root / "data").is_dir() and not (root / f"{KINDS[0]}.json").is_file() else root
    files = [home / f"{kind}.json" for kind in KINDS]
    if missing := [path.name for path in files if not path.is_file()]:
        raise KdbenchError(
            f"dataset sugarcrepe: found no {', '.join(missing)} in {home}; expected the {len(KINDS)} files of the folder data "
            "of github.com/RAIVNLab/sugar-crepe"
        )
    return files


def read_pairs(path: Path) -> list[Pair]:
    """The items of a file in its order. Raises KdbenchError with the item."""
    expected = "expected a JSON object of items with filename, caption and negative_caption"
    try:
        content = parsed(text_of(path), whole=False)
    except JsonFault as fault:
        raise KdbenchError(f"{path}: is not a file of SugarCrepe ({fault}); {expected}: is it truncated?") from fault
    if not isinstance(content, dict) or not content:
        raise KdbenchError(f"{path}: is not a file of SugarCrepe; {expected}")
    return [_pair(path, key, item) for key, item in content.items()]


def _pair(path: Path, key: str, item: Any) -> Pair:
    where = f"{path}: item {key}"
    if not isinstance(item, dict) or (missing := [name for name in FIELDS if name not in item]):
        found = f"no {missing[0]}" if isinstance(item, dict) else repr(item)[:60]
        raise KdbenchError(f"{where}: found {found}; expected filename, caption and negative_caption")
    filename = item["filename"]
    if not isinstance(filename, str) or not filename.strip() or (fault := name_fault(filename)):
        found = fault if isinstance(filename, str) and filename.strip() else f"found {repr(filename)[:60]}"
        raise KdbenchError(f"{where}: filename: {found}; expected the name of an image")
    right, wrong = (_caption(item[name], f"{where}: {name}") for name in FIELDS[1:])
    return Pair(f"{path.stem}/{key}", filename, (right, wrong))


def _caption(text: Any, where: str) -> str:
    if not isinstance(text, str):
        raise KdbenchError(f"{where}: found {repr(text)[:60]}; expected a string")
    return captions_of(text, where)[0]
