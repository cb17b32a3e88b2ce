"""What a terminal would obey, made visible."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.contracts.neutral import neutral
from tests.support.fuzzing import some

HOSTILE = "a\x1b[31mb\rc\x07d\x9bm\u202ee\u2066f\x7f\u2028"


def test_escapes_stand_where_a_terminal_would_obey() -> None:
    assert neutral(HOSTILE) == r"a\u001b[31mb\u000dc\u0007d\u009bm\u202ee\u2066f\u007f\u2028"


@pytest.mark.parametrize("text", ["", "a\tb\nc", "résumé 東京 ± × é😀 👩‍💻", "C = 1/T, torchjd:upgrad", r"\u001b"])
def test_other_text_stays(text: str) -> None:
    assert neutral(text) == text


@some
@given(st.text())
def test_any_text(text: str) -> None:
    """Nothing obeyed is left, a second time changes nothing, and JSON keeps its values."""
    shown = neutral(text)
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Zl", "Zp") and letter not in "\t\n"]
    assert not [letter for letter in shown if unicodedata.bidirectional(letter) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI")]
    assert neutral(shown) == shown
    assert json.loads(neutral(json.dumps(text, ensure_ascii=False))) == text
