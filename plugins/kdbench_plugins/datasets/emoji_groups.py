"""Groups of emoji that are variants of one drawing, and the split of each group.

A woman cook in the train split would leak the man cook of the test split, and one o'clock would leak two o'clock.
"""

from __future__ import annotations

import hashlib
import re
from typing import get_args

from kdbench import SplitName

SHARES: dict[SplitName, float] = {"train": 0.7, "validation": 0.1, "test": 0.2}
assert tuple(SHARES) == get_args(SplitName)

_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_WORD = re.compile(r"[a-z0-9]+")
_CLOCK = re.compile(rf"({_HOURS})(-thirty| o'clock)")
_KEYCAP = re.compile(r"keycap\b.*")

# "man artist" and "artist", or "kiss man man" and "kiss", differ by these words only.
_PEOPLE = re.compile("(wo)?m[ae]n|person|people|(fe)?male|boy|girl|adult|child|family|and|santa|m(r|rs|x)")
_HAIR = re.compile("((red|blond|white|curly) hair|bald|beard)$")
# One drawing rotated or mirrored (arrows, hands, phases of the moon, buttons of players), or at another size.
_SIDES = re.compile("(left|right|up|down)(wards)?|waxing|waning|first|last|next|forward|reverse|(counter)?clockwise")
_SIZES = re.compile("small|medium|large|high|low")
_SAME = {
    "prince": "person with crown",
    "princess": "person with crown",
    "mermaid": "merperson",
    "merman": "merperson",
    "older person": "old person",
    "restroom": "people's room",
    "play button": "forward button",
    "upside-down face": "slightly smiling face",
}


def group(name: str) -> str:
    """The group of an emoji by its plain name: "woman running facing right" is in "running".

    Words for gender are removed, and all words for a side or a size become the same; what remains names the group. Unrelated
    emoji may end up in one group, which only means that they are in the same split.
    """
    if _CLOCK.fullmatch(name):
        return "clock face"
    if _KEYCAP.fullmatch(name):
        return "keycap"
    kept: list[str] = []
    for word in _WORD.findall(_HAIR.sub("", _SAME.get(name, name).removesuffix(" facing right"))):
        word = "side" if _SIDES.fullmatch(word) else "size" if _SIZES.fullmatch(word) else word
        if not _PEOPLE.fullmatch(word) and kept[-1:] != [word]:
            kept.append(word)
    return " ".join(kept) or "person"


def split_of(group_name: str) -> SplitName:
    """The split of a group, by a hash of its name: an emoji added later does not move others."""
    position = int.from_bytes(hashlib.sha256(group_name.encode()).digest()[:8], "big") / 2**64
    for split, share in SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"  # rounding may leave the sum of shares just below one
