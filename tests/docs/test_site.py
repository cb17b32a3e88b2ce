"""The site's configuration: every page is in the navigation, and nothing is fetched from elsewhere."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.paths import ROOT

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def entries(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [entry for child in children for entry in entries(child)]


def test_every_page_is_in_the_navigation() -> None:
    shown = [entry for entry in entries(CONFIG["nav"]) if entry.endswith(".md")]
    assert sorted(shown) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


def test_nothing_is_fetched() -> None:
    assert CONFIG["theme"]["font"] is False
    assert "repo_url" not in CONFIG
    assert "analytics" not in CONFIG.get("extra", {})
    assert [next(iter(one)) if isinstance(one, dict) else one for one in CONFIG["plugins"]] == ["search", "mkdocstrings"]
    styles = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/assets").iterdir())
    assert "url(" not in styles
    assert "http" not in styles


def test_warnings_are_errors_where_links_break() -> None:
    assert set(CONFIG["validation"].values()) == {"warn"}
    assert "mkdocs build --strict" in (ROOT / "Makefile").read_text(encoding="utf-8")
