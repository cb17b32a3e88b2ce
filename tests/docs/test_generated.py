"""Generated parts of the documentation are what they would be if they were generated now; `make readme` writes them."""

from __future__ import annotations

import pytest

from docs.tools import picture_blocks
from docs.tools.blocks import names
from docs.tools.generate import FILES, MAKERS, PAGES, pictures, stale
from docs.tools.suite_reference import undescribed
from kdbench.plugins.loading import KINDS, installed
from kdbench_plugins.reports.figures.picture_files import embedded
from tests.support.pages import pages
from tests.support.paths import ROOT


@pytest.mark.parametrize("path", FILES)
def test_it_is_current(path: str) -> None:
    assert stale([path]) == [], "run `make readme`"


def test_every_key_of_a_suite_file_is_described() -> None:
    assert undescribed(installed()) == []


def test_pages_with_blocks_are_known() -> None:
    with_blocks = {str(page.relative_to(ROOT)) for page in pages() if names(page.read_text(encoding="utf-8"))}
    assert with_blocks <= set(PAGES)
    used = {name for page in PAGES for name, _ in names((ROOT / page).read_text(encoding="utf-8"))}
    known = {*MAKERS, *picture_blocks.PICTURES}
    if not any(name.startswith("regimes_") for name in used):  # they wait for the end of their race
        known = {name for name in known if not name.startswith("regimes_")}
    assert used == known


def test_every_kind_of_plugin_has_a_method_page() -> None:
    shown = {argument for page in PAGES for name, argument in names((ROOT / page).read_text("utf-8")) if name == "methods"}
    assert shown == set(KINDS)


def test_method_pages_show_a_plugin_as_it_is_used_and_not_as_it_is_tested() -> None:
    others, strategies = ((ROOT / f"docs/methods/{page}.md").read_text("utf-8") for page in ("others", "strategies"))
    assert "In a suite: `{use: folder, table: mine.csv}`" in others
    assert "In a suite: `{use: route, routes: {photos/*: clip, drawings/*: lite0}}`" in strategies


def test_pictures_show_what_the_records_give() -> None:
    """What is drawn is written into a picture, so that another version of matplotlib does not count as a change."""
    for block, folder in pictures():
        _, drawn = picture_blocks.PICTURES[block]
        assert embedded(ROOT / picture_blocks.path_of(block, folder)) == drawn(folder).data, "run `make readme`"
