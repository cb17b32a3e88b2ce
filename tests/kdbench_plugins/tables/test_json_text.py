"""JSON: every key once, whole characters, numbers that are numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from kdbench_plugins.tables.json_text import JsonFault, is_unicode, parsed
from tests.support.fuzzing import some
from tests.support.slow_tables import same
from tests.support.table_inputs import json_texts, json_values
from tests.support.table_properties import json_agrees


@given(json_texts())
@some
def test_as_the_slow_reader(text: str) -> None:
    json_agrees(text)


@given(json_values)
@some
def test_what_a_writer_wrote(value: Any) -> None:
    assert same(parsed(json.dumps(value)), value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"a": 1, "b": 2, "a": [3]}]', r"found the key 'a' twice in one object, with the values 1 and \[3\]"),
        ('{"a": NaN}', "NaN, which is no JSON number; write null"),
        ("[-Infinity]", "-Infinity, which is no JSON number"),
        ('["a cat \\ud83d"]', "half of a surrogate pair"),
        ('{"\\uDe00": 1}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "integer string conversion"),
        ('{"a": 1', "Expecting"),
    ],
)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(JsonFault, match=told):
        parsed(text)


def test_halves_of_pairs_in_values() -> None:
    assert parsed('{"a": ["\\ud83d"]}', whole=False) == {"a": ["\ud83d"]}
    with pytest.raises(JsonFault, match="half of a surrogate pair"):
        parsed('{"\\ud83d": 1}', whole=False)


def test_whole_pairs_are_characters() -> None:
    assert parsed('["\\ud83d\\ude00"]') == ["😀"]
    assert parsed('["\ud83d\\ude00"]', whole=False) == ["\ud83d\ude00"]  # a half in the text joins no escape
    json_agrees('["\ud83d\\ude00"]')
    assert is_unicode("😀")
    assert not is_unicode("\ud83d")
