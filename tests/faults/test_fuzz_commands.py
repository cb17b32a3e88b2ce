"""Commands with a thousand values: each may read a suite or a folder of records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings

from tests.cli.conftest import Command
from tests.support.command_inputs import commands, holds_for_command, typed_words
from tests.support.fuzzing import many
from tests.support.made_records import several


def test_commands(kdbench: Command, suite_file: Callable[..., Path], tmp_path: Path) -> None:
    suite_file()
    several(tmp_path / "results", 2)

    @settings(many, max_examples=1000)
    @given(commands)
    def check(given: tuple[str, str, str]) -> None:
        holds_for_command(kdbench, typed_words(*given))

    check()
