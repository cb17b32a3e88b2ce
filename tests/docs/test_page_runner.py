"""The runner of code blocks fails where a block does: no page passes because nothing of it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.page_runner import Page
from tests.support.pages import Block, blocks


def run(folder: Path, *found: Block) -> None:
    with Page(folder).entered() as page:
        for block in found:
            page.run(block)


def test_a_command_that_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"kdbench check nowhere.yaml: exit code 2, expected 0\n(?s:.*)nowhere"):
        run(tmp_path, Block("sh", "kdbench check nowhere.yaml", 1))


def test_a_command_that_ought_to_fail(tmp_path: Path) -> None:
    run(tmp_path, Block("sh", "kdbench --version\nkdbench check nowhere.yaml", 1, exit=2))


def test_a_command_that_ought_to_fail_and_does_not(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit code 0, expected 2"):
        run(tmp_path, Block("sh", "kdbench --version", 1, exit=2))


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="tests cannot run 'curl example\\.org'; mark the block"):
        run(tmp_path, Block("sh", "curl example.org", 1))


def test_python_that_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, Block("python", "one = 1", 1), Block("python", "one / 0", 5))


def test_marked_blocks_are_left_out_and_files_written(tmp_path: Path) -> None:
    run(tmp_path, Block("sh", "curl example.org", 1, no_test="needs a network"), Block("yaml", "a: 1", 2, file="deep/a.yaml"))
    assert (tmp_path / "deep/a.yaml").read_text() == "a: 1\n"


def test_output_into_a_file(tmp_path: Path) -> None:
    run(tmp_path, Block("sh", "kdbench --version > version.txt  # a comment", 1))
    assert (tmp_path / "version.txt").read_text().startswith("kdbench ")


def test_what_stands_above_a_block(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n<!-- no-test: needs a GPU -->\n```sh\nkdbench run big\n```\n\n"
        "<!-- file: a.py -->\n```python\nprint(1)\n```\n\n1. A list\n\n    ```sh\n    kdbench\n    ```\n"
    )
    assert blocks(page) == [
        Block("sh", "kdbench run big", 4, no_test="needs a GPU"),
        Block("python", "print(1)", 9, file="a.py"),
        Block("sh", "kdbench", 15),
    ]
