"""The README says what the code does: its leaderboards and pictures are those that the records give, its commands exist.

`make readme` writes the generated parts anew.
"""

from __future__ import annotations

import re
import sys

from typer.testing import CliRunner

from kdbench.cli import app
from kdbench.deploy.profile import Profile
from kdbench.plugins.describe import methods
from kdbench.plugins.loading import installed
from kdbench.records.reading import read_measured
from kdbench.reports import Board, build, leaderboard
from kdbench.reports.figures import Picture, embedded, pictures
from kdbench.reports.pareto import planes
from tests.support.paths import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- (leaderboard|methods|verdicts|picture) (\S+?)( \S+)? -->\n).*?(<!-- end -->)", re.DOTALL)


def generated(text: str) -> str:
    """The README with every leaderboard and picture made again from its records, every table of methods from its plugins."""

    def block(match: re.Match[str]) -> str:
        if match[2] == "methods":
            made = methods(match[3], installed(), "kdbench:")  # type: ignore[arg-type]
        else:
            board, profiles = read(match[3])
            if match[2] == "leaderboard":
                made = leaderboard(board, profiles, "markdown")
            elif match[2] == "verdicts":
                made = "\n".join(f"- {table.student}: {table.verdict}" for table in board.tables)
            else:
                one = picture(match[3], match[4].strip())
                made = f"![{one.alt}]({match[3]}/{one.stem}.svg)"
        return f"{match[1]}\n{made}\n\n{match[5]}"

    return BLOCK.sub(block, text)


def read(folder: str) -> tuple[Board, list[Profile]]:
    found = read_measured([ROOT / folder])
    assert found.problems == []
    return build(found.runs, found.unfinished, found.concepts), found.profiles


def picture(folder: str, kind: str) -> Picture:
    """The one picture of a kind, `latency` or `parameters`, of a folder's records."""
    board, profiles = read(folder)
    (found,) = [one for one in pictures(board, planes(board, profiles)) if one.stem.startswith(f"plane-{kind}-")]
    return found


def test_pictures_show_what_the_records_give() -> None:
    """What is drawn is written into a picture, so that another version of matplotlib does not count as a change."""
    text = README.read_text(encoding="utf-8")
    shown = [(match[3], match[4].strip()) for match in BLOCK.finditer(text) if match[2] == "picture"]
    assert shown
    for folder, kind in shown:
        one = picture(folder, kind)
        assert embedded(ROOT / folder / f"{one.stem}.svg") == one.data, "run `make readme`"


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
    for block in BLOCK.finditer(README.read_text(encoding="utf-8")):
        if block[2] == "picture":
            for path in picture(block[3], block[4].strip()).save(ROOT / block[3]):
                if path.suffix == ".png":
                    path.unlink()  # the SVG serves
