"""A hook of mkdocs: formulas between dollar signs become MathML while the site is built."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from kdbench_plugins.reports.site.mathml import mathml

SPAN = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """The page with its formulas converted. Raises ValueError for one that is no LaTeX."""
    return SPAN.sub(_converted, html)


def _converted(match: re.Match[str]) -> str:
    latex = unescape(match[1])
    if (found := mathml(latex)) is None:
        raise ValueError(f"found {latex!r}; expected a formula in LaTeX")
    return found
