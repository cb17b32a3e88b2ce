"""The README is short, shows the two commands, one picture, one small table and a strategy, and names commands that exist."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from kdbench.cli import app
from tests.support.pages import blocks, pages
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.encode()) <= 10_000


def test_one_picture_and_one_small_table_of_results() -> None:
    assert README.count("![") == 1
    start = README.index("<!-- generated: short_leaderboard")
    end = README.index("<!-- end -->", start)
    rows = [line for line in README[start:end].splitlines() if line.startswith("|")]
    assert 3 < len(rows) - 2 <= 8  # without its head and the line below
    assert all(line.count(" | ") + 1 <= 9 for line in rows)


def test_two_commands() -> None:
    shown = [block.text for block in blocks(ROOT / "README.md") if block.language == "sh"]
    assert [line.partition("#")[0].strip() for line in shown[0].splitlines()] == [
        "pip install 'kdbench[quickstart]'",
        "kdbench run quickstart",
    ]
    assert "make test" in README


def test_the_example_is_the_one_that_ships() -> None:
    source = (ROOT / "plugins/example/kdbench_example.py").read_text(encoding="utf-8")
    assert source.strip() in README
    lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "plugins/example").iterdir() if path.is_file())
    assert lines < 20


def test_every_command_exists() -> None:
    shown = "\n".join(block.text for page in pages() for block in blocks(page))
    spans = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    named = set(re.findall(r"^kdbench ([a-z]+)", shown, re.MULTILINE)) | set(re.findall(r"`kdbench ([a-z]+)", spans))
    assert {"run", "check", "plan", "leaderboard", "schema", "plugins", "cache", "suites", "info", "verify"} <= named
    for command in sorted(named):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
