"""A page as one HTML file: without scripts and other files, every text escaped."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from kdbench.contracts.shown import Item
from kdbench.reports.gallery.page import Page
from kdbench.reports.gallery.thumbnails import png_uri, thumbnail


def html(page: Page) -> str:
    """The text of the file, which can be encoded in UTF-8 whatever the dataset's texts hold."""
    environment = Environment(
        loader=PackageLoader("kdbench.reports.gallery", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(thumbnail=thumbnail, uri=png_uri, label=_label)
    return environment.get_template("page.html.jinja").render(page=page).encode(errors="backslashreplace").decode()


def _label(item: Item) -> str:
    """What a reader knows an item by."""
    return item.text or (item.about[0] if item.about else item.name)
