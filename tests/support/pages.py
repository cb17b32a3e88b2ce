"""The Markdown pages of README and docs: their code blocks, headings and links."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"<!-- (no-test|file|exit): (.+?) -->\s*$")
INCLUDE = re.compile(r"^--8<--\n(.+)\n--8<--$", re.MULTILINE)  # the form that ruff does not take for Python
RUNNABLE = ("sh", "bash", "console", "python")


@dataclass(frozen=True)
class Block:
    """A code block: its language, its text, the line it begins on, and what the comment above it says.

    `no_test` is the reason why it is not run; `file` is where its text is written instead; `exit` the code that its last
    command ends with.
    """

    language: str
    text: str
    line: int
    no_test: str = ""
    file: str = ""
    exit: int = 0


def pages() -> list[Path]:
    """README and every page of the site."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """The path of a page from the root."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in order, with included files in place of their includes."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        above = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        told = {said[1]: said[2] for said in [DIRECTIVE.search(above.strip())] if said}
        inside = "\n".join(line.removeprefix(match[1]) for line in match[3].splitlines())
        inside = INCLUDE.sub(lambda include: (ROOT / include[1]).read_text(encoding="utf-8").rstrip(), inside)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[2], inside, line, told.get("no-test", ""), told.get("file", ""), int(told.get("exit", "0"))))
    return found


def prose(page: Path) -> str:
    """A page without its code blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "``", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Where links into a page may point."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        named = re.search(r"\{ #([\w-]+) \}$", title)
        plain = re.sub(r"[`*_]|\[([^]]*)\]\([^)]*\)", r"\1", title)
        found.add(named[1] if named else slugify(plain))
    return found


def slugify(title: str) -> str:
    """The anchor of a heading, as Python-Markdown makes it."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def links(page: Path) -> list[str]:
    """Targets of links and images, in order."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))
