"""The page for plugin authors explains every field of Offer and everything that a signal has."""

from __future__ import annotations

import re
from dataclasses import fields

from kdbench import Offer, Signal
from kdbench.plugins.loading import HOOKS
from tests.support.paths import ROOT

TERMS = (ROOT / "docs/plugins/terms.md").read_text(encoding="utf-8")


def rows(part: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", TERMS.partition(part)[2].partition("\n## ")[0], re.MULTILINE)


def test_every_field_of_offer() -> None:
    assert rows("## Every field of Offer") == [field.name for field in fields(Offer)]


def test_everything_of_a_signal() -> None:
    has = {name for name in vars(Signal) if not name.startswith("_")} | set(Signal.__annotations__)
    assert set(rows("## The signal")) == has


def test_every_kind_has_a_tutorial() -> None:
    index = (ROOT / "docs/plugins/index.md").read_text(encoding="utf-8")
    for kind, hook in HOOKS.items():
        assert f"| [{kind}]({kind}.md) | `{hook}` |" in index
        assert (ROOT / f"docs/plugins/{kind}.md").is_file()
