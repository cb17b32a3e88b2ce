from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import KdbenchError
from kdbench_plugins.reports.site import assets
from kdbench_plugins.reports.site.assets import classic, copy_assets


def test_an_export_becomes_a_global() -> None:
    script = classic("var a=1,b=2;export{a as first,b as default,b};/*! licence */\n", "Bundle")
    assert "export" not in script
    assert script.startswith("var Bundle = (() => {")
    assert 'return { "first": a, "default": b, "b": b };' in script
    assert "/*! licence */" in script


@pytest.mark.parametrize(
    "module", ["var a=1;", "export{a};export{b};", 'import x from "y";\nvar a=1;export{a};', "export{import.meta}"]
)
def test_a_module_of_another_kind_is_refused(module: str) -> None:
    with pytest.raises(KdbenchError, match="not as expected"):
        classic(module, "Bundle")


def test_all_that_a_page_needs_is_copied(tmp_path: Path) -> None:
    copy_assets(tmp_path / "assets")
    names = {path.name for path in (tmp_path / "assets").iterdir()}
    assert names == {"site.css", "site.js", "datatables.css", "datatables.js", "plotly.min.js"}
    for name in ("datatables.css", "site.css"):
        text = (tmp_path / "assets" / name).read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(http" not in text.replace("url('", "url(").replace('url("', "url(")


def test_a_missing_package_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "find_spec", lambda _: None)
    with pytest.raises(KdbenchError, match=r"plotly is not installed: pip install -U itables plotly"):
        copy_assets(tmp_path / "assets")
