"""Checks that open_clip or timm has to make, kept in the cache once passed: importing these takes seconds and 900 MB."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kdbench_plugins.openclip import package_version

LIBRARIES = ("open_clip_torch", "timm", "torch", "torchvision", "transformers")


def check_once(check: Callable[[], None], *about: object) -> None:
    """Calls `check`, unless it has passed `about` the same JSON values with the same code and the same versions of libraries.

    Raises what `check` raises, which is not kept. `check` must depend on nothing else, such as a file.
    """
    from kdbench.storage.cache import Cache
    from kdbench.storage.code_digest import code_digest

    def make(folder: Path) -> None:
        check()
        (folder / "passed.json").write_text(json.dumps(about), encoding="utf-8")

    libraries = {name: package_version(name) for name in LIBRARIES}
    identity = {"about": json.dumps(about), "code": code_digest([check], first_party=True), "libraries": libraries}
    try:
        Cache().entry("checks", identity, make)
    except OSError:  # no cache can be written here
        check()
