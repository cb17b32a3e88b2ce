"""Jinja as all pages use it: everything is escaped, and nothing may be missing."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kdbench.reports.site import shown
from kdbench.reports.site.slug import token

# A page opened from file:// has an origin of its own: Chromium lets 'self' stand for its folder, for others the scheme says
# it, and no page of the web can load from file:. Plotly writes style rules into the page, hence 'unsafe-inline' for styles;
# scripts stay those of the folder.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' file:",
        "style-src 'self' file: 'unsafe-inline'",
        "img-src 'self' file: data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
URL = re.compile(r"(https?://[^\s<>\"'`\\]*[^\s<>\"'`\\.,;:!?)\]}])")


def environment() -> Environment:
    """A new one; templates are compiled on first use and kept."""
    made = Environment(
        loader=PackageLoader("kdbench.reports.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Jinja's tojson escapes <, >, & and ' for a script element; it must not write NaN, which JSON has not.
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    made.filters.update(
        token=token, linked=linked, order=shown.order, number=shown.number, percent=shown.percent, seconds=shown.seconds
    )
    made.filters.update(value=shown.value, setting=shown.setting)
    made.globals.update(policy=POLICY, value_title=shown.interval)
    return made


def linked(text: Any) -> Markup:
    """Text with its http and https addresses as links; nothing else becomes one."""
    parts = URL.split(str(text))
    return Markup("").join(
        Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
