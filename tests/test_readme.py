"""The README says what the code does: its leaderboard is the one the records give, its commands exist.

`make readme` writes the generated part anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from typer.testing import CliRunner

from kdbench.cli import app
from kdbench.describe import methods
from kdbench.leaderboard import build, leaderboard
from kdbench.plugins import installed
from kdbench.publish.measured import read_measured

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- (leaderboard|methods) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def generated(text: str) -> str:
    """The README with every leaderboard made again from its records, every table of methods from what plugins say."""

    def block(match: re.Match[str]) -> str:
        if match[2] == "methods":
            made = methods(match[3], installed(), "kdbench:")  # type: ignore[arg-type]
        else:
            found = read_measured([ROOT / match[3]])
            assert found.problems == []
            board = build(found.runs, found.unfinished, found.concepts)
            made = leaderboard(board, found.profiles, "markdown")
        return f"{match[1]}\n{made}\n\n{match[4]}"

    return BLOCK.sub(block, text)


def test_tables_are_what_records_and_plugins_give() -> None:
    text = README.read_text(encoding="utf-8")
    assert {(match[2], match[3]) for match in BLOCK.finditer(text)} >= {
        ("leaderboard", "results/emoji"),
        ("leaderboard", "results/strategies"),
        ("methods", "strategy"),
        ("methods", "objective"),
    }
    assert text == generated(text), "run `make readme`"


def test_every_command_exists() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\.venv/bin/)?kdbench ([a-z]+)", text, re.MULTILINE)) | set(
        re.findall(r"`kdbench ([a-z]+)", text)
    )
    assert {"run", "check", "plan", "leaderboard", "schema", "plugins", "cache"} <= named
    for command in named:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


def test_example_is_the_one_that_ships() -> None:
    source = (ROOT / "plugins/example/kdbench_example.py").read_text(encoding="utf-8")
    assert source.strip() in README.read_text(encoding="utf-8")
    lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "plugins/example").iterdir() if path.is_file())
    assert lines < 20


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


if __name__ == "__main__":
    assert sys.argv[1:] == ["--write"]
    README.write_text(generated(README.read_text(encoding="utf-8")), encoding="utf-8")
