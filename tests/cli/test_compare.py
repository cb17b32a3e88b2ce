"""The command compare: one pair of rows in words and figures, with the queries behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_plugins import command_plugins
from tests.support.gallery_runs import trained
from tests.support.rankings import row, write

Command = Callable[..., tuple[int, str, str]]


def test_compare_explains_one_pair(typed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of records alone: their dataset is not installed."""
    monkeypatch.setenv("COLUMNS", "200")
    for one in (*row("equal", 1.0), *row("far", 4.0)):
        write(tmp_path / "results", one)
    code, out, err = typed("compare", "equal", "far")
    assert (code, err) == (0, "")
    assert "equal of a + b is significantly better than far of a + b: RSUM +" in out
    assert "A gained most: median retrieval rank in A, in B" in out
    assert "note: texts and pictures are not shown: " in out
    assert typed("compare", "equal", "far", "--most", 0)[1].count("gained") == 0
    assert "note: texts" not in typed("compare", "equal", "far", "--most", 0)[1]
    code, _, err = typed("compare", "equal", "fare")
    assert code == 2
    assert "no row is called 'fare'" in err


def test_what_compare_prints_fits_the_terminal(typed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (*row("equal", 3.0, draw=1), *row("near", 3.0, draw=2)):
        write(tmp_path / "results", one)
    for columns in (60, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        code, out, _ = typed("compare", "equal", "near")
        assert code == 0
        assert max(map(len, out.splitlines())) <= columns
        assert "Undecided between equal of a + b and near of a + b: " in " ".join(out.split())
        assert "more seeds would decide" in " ".join(out.split())


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    monkeypatch.setenv("COLUMNS", "200")
    return typed


def test_queries_have_texts_and_what_is_on_top(kdbench: Command, tmp_path: Path) -> None:
    trained().copied(tmp_path)
    code, out, err = kdbench("compare", "equal of a + b", "no distillation", "--html", "pair.html")
    assert code == 0, err
    lines = out.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("  i2t image "))
    index = int(lines[place].split()[2].rstrip(":"))
    shown, (_, of) = trained().shown, trained().runs["alone"].task.queries
    right = [shown.candidate(of, position).text for position in shown.right(of, index)]
    told = " ".join(" ".join(lines[place + 1 :]).split())  # they are wrapped
    assert told.startswith(f"query image {index} “{right[0]}” right {', '.join(f'“{text}”' for text in right)} A ")
    assert [line.split()[0] for line in lines[place + 1 :] if line[4:5].strip()][:4] == ["query", "right", "A", "B"]
    assert "note: outputs of A and B are of seed 0; ✓ marks what is right" in lines
    page = (tmp_path / "pair.html").read_text()
    assert "A: equal of a + b" in page
    assert err == "Open pair.html\n"


def test_without_weights_texts_are_shown(kdbench: Command, tmp_path: Path) -> None:
    trained().copied(tmp_path, cache=False)
    code, out, _ = kdbench("compare", "equal of a + b", "no distillation")
    assert code == 0
    assert "\n    query  image " in out
    assert "\n    A " not in out
    assert "note: outputs of models are not shown: the cache holds no weights" in out
