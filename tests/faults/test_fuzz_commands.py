"""Commands with a thousand values: each may read a suite or a folder of records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from kdbench.plugins.loading import Plugins
from tests.cli.conftest import Command
from tests.support.command_inputs import commands, holds_for_command, typed_words
from tests.support.command_plugins import add_first_party
from tests.support.fuzzing import trying
from tests.support.made_records import several

pytestmark = pytest.mark.fault("a command with values that nobody expects")


def test_commands(
    typed: Command, plugins: Plugins, monkeypatch: pytest.MonkeyPatch, suite_file: Callable[..., Path], tmp_path: Path
) -> None:
    add_first_party(plugins)
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    suite_file()
    several(tmp_path / "results", 2)

    @trying(1000)
    @given(commands)
    def check(given: tuple[str, str, str]) -> None:
        holds_for_command(typed, typed_words(*given))

    check()
