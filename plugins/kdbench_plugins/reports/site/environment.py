"""The Jinja environment of all pages: everything is escaped, and an undefined name is an error."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kdbench.reports.plots.trial_history import setting_text, value_text
from kdbench.reports.student_text import three_digits
from kdbench_plugins.reports.site import formatting
from kdbench_plugins.reports.site.mathml import formula
from kdbench_plugins.reports.site.page_names import token

# For a page opened from file://, Chromium matches 'self' with its folder; other browsers need the scheme, which is safe because
# no page on the web can load from file:. Plotly writes style rules into the page, hence 'unsafe-inline' for styles; scripts
# are those of the folder only.
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
    """A new environment; templates are compiled on first use and kept."""
    made = Environment(
        loader=PackageLoader("kdbench_plugins.reports.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Jinja's tojson escapes <, >, & and ' for a script element; NaN must raise, because JSON does not have it.
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    made.filters.update(figure=three_digits, latex=formula, token=token, linked=linked, value=value_text, setting=setting_text)
    for filter in (formatting.order, formatting.number, formatting.percent, formatting.seconds, formatting.measure):
        made.filters[filter.__name__] = filter
    made.globals.update(policy=POLICY, value_title=formatting.interval)
    return made


def linked(text: Any) -> Markup:
    """Text with http and https addresses as links; other addresses stay text."""
    parts = URL.split(str(text))
    return Markup("").join(
        Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
