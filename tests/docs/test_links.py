"""Links of README, docs and the community files lead somewhere. Links to other sites are listed and not fetched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import anchors, links, name_of, pages
from tests.support.paths import ROOT

EXTERNAL = ROOT / "tests/docs/external_links.txt"  # for people: look through it when it changes
OWN = re.compile(r"https://github\.com/kdbench/kdbench/(?:blob|tree)/main/(.+)")
COMMUNITY = [
    ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "results/README.md")
]
ALL = [*pages(), *COMMUNITY]


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_links_within_the_repository(page: Path) -> None:
    for link in links(page):
        own = OWN.fullmatch(link)
        if own:
            assert (ROOT / own[1].partition("#")[0]).exists(), link
        elif "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{name_of(page)}: {link}"
            if anchor:
                assert anchor in anchors(target), f"{name_of(page)}: {link}; expected one of {sorted(anchors(target))}"


def test_links_to_other_sites_are_listed() -> None:
    found = {link for page in ALL for link in links(page) if "://" in link and not OWN.fullmatch(link)}
    listed = [line for line in EXTERNAL.read_text(encoding="utf-8").splitlines() if line]
    assert listed == sorted(found)
