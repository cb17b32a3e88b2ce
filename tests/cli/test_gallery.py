"""Commands that show what models retrieve: gallery and search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command_plugins import command_plugins
from tests.support.gallery_runs import trained
from tests.support.toys import Beads

Command = Callable[..., tuple[int, str, str]]
CAPTION = Beads().split("test").captions[0]


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Types a command where the trained runs and their cache are; the toys are what is installed."""
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    trained().copied(tmp_path)
    return typed


def test_gallery_writes_a_page(kdbench: Command, tmp_path: Path) -> None:
    run_id = trained().records["equal 0"].run_id
    code, out, err = kdbench("gallery", run_id[:6], "--most", 2)
    assert (code, out) == (0, ""), err
    assert err.splitlines()[-1] == f"Open galleries/{run_id}.html"
    text = (tmp_path / f"galleries/{run_id}.html").read_text()
    assert "a (teacher)" in text
    assert "Caption queries (t2i): worst failures" in text
    code, _, err = kdbench("gallery", run_id, trained().records["alone"].run_id, "--html", "deep/two.html")
    assert code == 0, err
    assert "where runs differ most" in (tmp_path / "deep/two.html").read_text()
    assert kdbench("gallery", "0123456789ab")[0] == 2


def test_search_prints_and_writes(kdbench: Command, tmp_path: Path) -> None:
    run_id = trained().records["equal 0"].run_id
    code, out, err = kdbench("search", run_id, CAPTION, "--most", 3, "--html", "found.html")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == f"“{CAPTION}” in the test split, by {trained().records['equal 0'].label}"
    assert [line.split()[0] for line in lines[2:] if line[:3].strip()] == ["1", "2", "3"]  # others go on with a result
    assert max(map(len, lines)) <= 100
    assert "<img" in (tmp_path / "found.html").read_text()
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    code, out, err = kdbench("search", run_id, "--image", "red.png")
    assert code == 0, err
    assert out.startswith("red.png in the test split")


@pytest.mark.parametrize(("given", "found"), [([], "neither"), ([CAPTION, "--image", "red.png"], "both")])
def test_search_wants_one_query(given: list[str], found: str, kdbench: Command) -> None:
    code, _, err = kdbench("search", "x", *given)
    assert code == 2
    assert f"found {found} TEXT and --image FILE; expected one of them" in err
