"""Formulas as MathML, which browsers draw without a script."""

from __future__ import annotations

import html
from functools import lru_cache
from xml.etree import ElementTree

from markupsafe import Markup

ACTIVE = ("href", "style")  # attributes that LaTeX can set, and that do more than lay out a formula


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
