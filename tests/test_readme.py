"""The README says what the code does: its leaderboard is the one the records give, its commands exist.

`make readme` writes the generated part anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from typer.testing import CliRunner

from kdbench.cli import app
from kdbench.leaderboard import build, render
from kdbench.records import find_records, read_record

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- leaderboard (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def generated(text: str) -> str:
    """The README with every leaderboard block made again from its records."""

    def block(match: re.Match[str]) -> str:
        records = [read_record(path) for path in find_records([ROOT / match[2]])]
        return f"{match[1]}\n{render(build(records), 'markdown')}\n\n{match[3]}"

    return BLOCK.sub(block, text)


def test_leaderboard_is_the_one_the_records_give() -> None:
    text = README.read_text(encoding="utf-8")
    assert BLOCK.search(text)
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
