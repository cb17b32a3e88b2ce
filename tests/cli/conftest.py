"""`kdbench` typed with the tiny plugins installed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdbench.plugins.loading import Plugins
from tests.support.command_plugins import add_first_party

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kdbench(typed: Command, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the tiny plugins are what is installed."""
    add_first_party(plugins)
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    return typed
