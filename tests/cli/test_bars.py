"""What displays have in common."""

from __future__ import annotations

import io
import re

import pytest
from rich.markup import escape

from kdbench.cli.bars import Bars, Terminal, busy, duration
from tests.contracts.test_neutral import HOSTILE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (95, "1 min 35 s"),
        (3600, "1 h 0 min"),
        (7300, "2 h 1 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_path_with_brackets_is_no_markup() -> None:
    with busy("checking a[/b].yaml") as status:
        assert str(status.status) == "checking a[/b].yaml"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_terminal_is_given_nothing_to_obey_but_colours_of_its_own(terminal: bool) -> None:
    file = io.StringIO()
    console = Terminal(file=file, force_terminal=terminal, width=120)
    bars = Bars(console)
    with bars.live:
        bars.line(f"[red]{escape(HOSTILE)}[/red]")
        bars.live.add_task(escape(HOSTILE), total=2, note=escape(HOSTILE))
    printed = file.getvalue()
    assert r"a\u001b[31mb" in printed
    assert r"d\u009bm\u202ee" in printed  # Rich itself drops a carriage return and a bell
    own = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", printed) if terminal else printed
    assert not set(own) & set("\x1b\r\x07\x9b\u202e\u2066\x7f")
    assert ("\x1b[31m" + "a" in printed) == terminal
