"""Texts for the reader of YAML, from valid ones to anything, and what holds for each."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import strategies as st

from kdbench.errors import SuiteError
from kdbench.suite.yaml_file import dump, parse_scalar

TAGS = ["", "!!set ", "!!omap ", "!!pairs ", "!!binary ", "!!timestamp ", "!!str ", "!!int ", "!!float ", "!!bool ", "!!null "]
TAGS += ["!!map ", "!!seq ", "!!python/name:os.mkdir ", "!mine ", "! ", "!!merge ", "!!value "]
SCALARS = [
    "1",
    "01",
    "-3",
    "1e3",
    "1e999",
    "-.inf",
    ".nan",
    "0x1F",
    "0o17",
    "9223372036854775808",
    "1" * 5000,
    "no",
    "true",
    "~",
]
SCALARS += [
    "2024-01-01",
    "1:30",
    "=",
    "<<",
    '"\\ud83d"',
    '"\\ud83d\\ude00"',
    '"\\x00"',
    "'it''s'",
    '"a\\',
    "a: b",
    "a #b",
    "*x",
    "&x 1",
]
SCALARS += [
    "",
    "|\n  a\n",
    ">-\n  b",
    "%YAML 1.1",
    "---",
    "...",
    "\t",
    "\u2028",
    "\x85",
    "\ufeff",
    "\x00",
    "\x7f",
    "é",
    "😀",
    "? x",
]

scalars = st.one_of(st.sampled_from(SCALARS), st.text(max_size=6), st.integers().map(str), st.floats().map(repr))
tagged = st.tuples(st.sampled_from(TAGS), scalars).map("".join)


def _flow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    tags = st.sampled_from(TAGS)
    pairs = st.lists(st.tuples(tagged, inner).map(": ".join), max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(tags, st.lists(inner, max_size=3).map(", ".join)).map(lambda found: f"{found[0]}[{found[1]}]"),
        st.tuples(tags, pairs).map(lambda found: f"{found[0]}{{{found[1]}}}"),
    )


flow = st.recursive(tagged, _flow, max_leaves=6)
blocks = st.lists(st.tuples(tagged, flow).map(": ".join), max_size=4).map("\n".join)
texts = st.one_of(flow, blocks, st.text(max_size=40))

letters = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=5)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, letters),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(letters, inner, max_size=3)),
    max_leaves=8,
)


def reads_or_refuses(text: str) -> None:
    """A text is refused with its place, or it is JSON and is the same when it is written and read again."""
    said = ""
    try:
        found = parse_scalar(text, "here")
    except SuiteError as refused:
        said = str(refused)
        said.encode()
    if said:
        assert said.startswith("here: ")
        return
    json.dumps(found, ensure_ascii=False).encode()
    _check_plain(found)
    assert _same(parse_scalar(dump(found), "again"), found)


def reads_json(data: Any) -> None:
    """JSON is YAML: what Python's strict reader of JSON reads from a text is what this reader does."""
    text = json.dumps(data)
    assert _same(parse_scalar(text, "here"), json.loads(text))


def _check_plain(found: Any) -> None:
    if isinstance(found, dict):
        assert all(isinstance(key, str) for key in found)
        for value in found.values():
            _check_plain(value)
    elif isinstance(found, list):
        for value in found:
            _check_plain(value)
    else:
        assert found is None or isinstance(found, bool | int | float | str)
        assert not isinstance(found, int) or -(2**63) <= found < 2**63


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
