"""Generated blocks in Markdown: `<!-- generated: NAME [ARGUMENT] -->` … `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

BLOCK = re.compile(r"(<!-- generated: (\w+)(?: (\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)
Maker = Callable[[str], str]  # an argument, "" if there is none, to Markdown


def filled(text: str, makers: Mapping[str, Maker]) -> str:
    """The text with every block made again. Raises KeyError for a name without a maker."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{makers[match[2]](match[3] or '').strip()}\n\n{match[4]}"

    return BLOCK.sub(block, text)


def names(text: str) -> set[tuple[str, str]]:
    """Name and argument of every block."""
    return {(match[2], match[3] or "") for match in BLOCK.finditer(text)}


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table without padding, so that one changed cell changes one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Text as it can stand in a table's cell."""
    return " ".join(text.split()).replace("|", r"\|")
