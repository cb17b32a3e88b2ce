"""Formulas as MathML, which browsers draw without a script."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from xml.etree import ElementTree

from markupsafe import Markup, escape

ACTIVE = ("href", "style")  # attributes that LaTeX can set, and that do more than lay out a formula
TOKEN = re.compile(r"\\left|\\right|\\quad|\\text\{([^{}]*)\}|[{}]")


@lru_cache(maxsize=512)
def mathml(latex: str) -> Markup | None:
    """The element `math`, its text escaped; None if latex2mathml cannot convert the formula."""
    from latex2mathml.converter import convert_to_element

    try:
        root = convert_to_element(latex)
    except Exception:  # a parser's, on what a plugin states: the plain formula serves
        return None
    for element in root.iter():
        element.text = html.unescape(element.text or "") or None  # latex2mathml writes entities into texts
        for name in ACTIVE:
            element.attrib.pop(name, None)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def formula(latex: str) -> Markup | None:
    """Elements `math` with the words between them, so that a long formula has lines; None if a part cannot be converted."""
    found = [mathml(text) if math else escape(text) for math, text in parts(latex)]
    return None if None in found else Markup(" ").join(part for part in found if part is not None)


def parts(latex: str) -> Iterator[tuple[bool, str]]:
    r"""A formula cut at `\quad`, and at words of `\text{…}` that are set off by a space: whether a part is LaTeX, and the part.

    Nothing within braces or between `\left` and `\right` is cut.
    """
    depth, start = 0, 0
    for token in TOKEN.finditer(latex):
        words = token[1]
        if token[0] in ("{", r"\left"):
            depth += 1
        elif token[0] in ("}", r"\right"):
            depth -= 1
        elif depth == 0 and (words is None or words != words.strip()):
            yield from _part(True, latex[start : token.start()])
            yield from _part(False, words or "")
            start = token.end()
    yield from _part(True, latex[start:])


def _part(math: bool, text: str) -> Iterator[tuple[bool, str]]:
    if text.strip():
        yield math, text.strip()
