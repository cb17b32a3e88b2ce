"""YAML with the numbers and truth values of version 1.2, and the line of everything."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import SuiteError
from kdbench.suite.yaml_file import dotted, parse_scalar, path_steps, read
from tests.support.fuzzing import some
from tests.support.yaml_inputs import plain, reads_json, reads_or_refuses, texts


def write(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1e5", 1e5),
        ("-2E+3", -2000.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1.5e3", 1500.0),
        (".inf", math.inf),
        ("3", 3),
        ("-3", -3),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'1e-3'", "1e-3"),
        ("'true'", "true"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("1e", "1e"),
        ("[0, 1e-1]", [0, 0.1]),
        ("{use: equal}", {"use": "equal"}),
    ],
)
def test_scalars(text: str, value: Any, tmp_path: Path) -> None:
    data, _ = read(write(tmp_path, f"a: {text}\n"))
    for found in (data["a"], parse_scalar(text, "here")):
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("012", 12), ("0o14", 12), ("0x1f", 31), ("1:30", "1:30"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01")],
)
def test_what_yaml_1_1_reads_otherwise(text: str, value: Any) -> None:
    """Octal, base 60, underscores and dates of YAML 1.1 would be another value than the one that was written."""
    assert parse_scalar(text, "here") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives(value: float) -> None:
    found = parse_scalar(repr(value), "here")
    assert isinstance(found, float)
    assert math.copysign(1, found) == math.copysign(1, value)
    assert found == value


@given(st.integers(-(10**18), 10**18))
def test_every_integer_survives(value: int) -> None:
    assert parse_scalar(str(value), "here") == value


@some
@given(texts)
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    reads_or_refuses(text)


@some
@given(plain)
def test_json_is_read_as_json(data: Any) -> None:
    reads_json(data)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("!!set {a, b}", "found the tag !!set; expected a list, a map, a string, a number, true, false or null"),
        ("!!binary aGk=", "found the tag !!binary; expected"),
        ("!!timestamp 2024-01-01", "found the tag !!timestamp; expected"),
        ("!!omap [a: 1]", "found the tag !!omap; expected"),
        ("!!bool yes", "'yes' is not true or false"),
        ("!!null 0", "'0' is not null"),
        ("!!float 1:30", "'1:30' is not a number"),
        ("9223372036854775808", "found a whole number of more than 64 bits"),
        ("1" * 9000, "found a whole number of more than 64 bits"),
        ("1e999", "'1e999' is larger than any number of 64 bits"),
        ('"a cat \\ud83d"', "found half of a surrogate pair in 'a cat \\ud83d'; expected text"),
        ("[" * 5000, "lists and maps are nested too deeply"),
    ],
)
def test_what_json_does_not_have(text: str, problem: str, tmp_path: Path) -> None:
    """Each would end in a traceback later, or in another value than the one that is written."""
    for read_it in (lambda: parse_scalar(f"{{a: {text}}}", "here"), lambda: read(write(tmp_path, f"a: {text}\n"))):
        with pytest.raises(SuiteError) as raised:
            read_it()
        assert f":1: not valid YAML: {problem}" in str(raised.value) or f"here: not valid YAML: {problem}" in str(raised.value)


def test_aliases_of_aliases_are_counted() -> None:
    """Ten levels of ten aliases would be ten thousand million values."""
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 11)]
    with pytest.raises(SuiteError, match="more than 100,000 values, as aliases of aliases multiply"):
        parse_scalar("\n".join(["a0: &a0 [1]", *levels]), "here")


def test_keys_are_text() -> None:
    """1 and 01 are two keys, and true is no truth value: JSON has no others."""
    assert parse_scalar("{1: a, 01: b, true: c, null: d}", "here") == {"1": "a", "01": "b", "true": "c", "null": "d"}
    with pytest.raises(SuiteError, match="1 is given twice"):
        parse_scalar("{1: a, '1': b}", "here")


def test_a_pair_of_escapes_is_one_letter() -> None:
    assert parse_scalar('"\\ud83d\\ude00"', "here") == "😀"


def test_an_index_longer_than_any_list_is_a_key() -> None:
    assert path_steps(f"a[{'9' * 5000}]") == ("a", "9" * 5000)


def test_lines_of_keys_and_items(tmp_path: Path) -> None:
    text = """\
# a comment
name: tiny

students:
  - use: pebble
    width: 3
  -
    use: rock
  - {use: sand, width: 4}
seeds: [0,
  1]
"""
    data, lines = read(write(tmp_path, text))
    assert data["students"][1] == {"use": "rock"}
    assert lines == {
        (): 1,
        ("name",): 2,
        ("students",): 4,
        ("students", 0): 5,
        ("students", 0, "use"): 5,
        ("students", 0, "width"): 6,
        ("students", 1): 8,
        ("students", 1, "use"): 8,
        ("students", 2): 9,
        ("students", 2, "use"): 9,
        ("students", 2, "width"): 9,
        ("seeds",): 10,
        ("seeds", 0): 10,
        ("seeds", 1): 11,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nseeds: [0]\nname: b\n", ":3: name is given twice; first on line 1"),
        ("train:\n  lr: 1\n  epochs: 2\n  lr: 2\n", ":4: train.lr is given twice; first on line 2"),
        ("students:\n- use: a\n  use: b\n", ":3: students[0].use is given twice; first on line 2"),
        ("teachers: {a: 1, a: 2}\n", ":1: teachers.a is given twice; first on line 1"),
    ],
)
def test_a_key_given_twice(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SuiteError) as raised:
        read(path)
    assert str(raised.value) == f"{path}{message}"


def test_an_override_with_a_key_given_twice() -> None:
    with pytest.raises(SuiteError, match="twice"):
        parse_scalar("{lr: 1, lr: 2}", "override")


def test_anchors_are_followed(tmp_path: Path) -> None:
    text = "base: &base {use: lens, focal: 35}\nteachers:\n  a: *base\n  b:\n    <<: *base\n    focal: 50\n"
    data, lines = read(write(tmp_path, text))
    assert data["teachers"] == {"a": {"use": "lens", "focal": 35}, "b": {"use": "lens", "focal": 50}}
    assert lines["teachers", "b", "focal"] == 6


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir", "!!python/name:os.mkdir"])
def test_tags_that_run_code_are_refused(tag: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    path = write(tmp_path, f"name: tiny\nseeds: {tag} [{made}]\n")
    with pytest.raises(SuiteError, match=f"{path}:2: not valid YAML: could not determine a constructor for the tag"):
        read(path)
    with pytest.raises(SuiteError, match=r"override 'seeds=…'.*could not determine a constructor"):
        parse_scalar(f"{tag} [{made}]", "override 'seeds=…'")
    assert not made.exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: tiny\nseeds: [0, 1\ntrain: {}\n", 3),
        ("name: tiny\nseeds: 0: 1\n", 2),
        ("name: tiny\n\tseeds: [0]\n", 2),
        ("name: tiny\nseeds: *some\n", 2),
        ("name: tiny\n---\nname: other\n", 2),
        ("name: tiny\n? [1, 2]\n: x\n", 2),  # a key that is a list
        ("name: tiny\n{{ seed }}: 1\n", 2),  # a template that nobody filled in
        ("name: tiny\nseeds: &all [*all]\n", 2),
        ("name: tiny\nseeds: !!int x\n", 2),
    ],
)
def test_what_is_not_valid_has_its_line(text: str, line: int, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SuiteError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}:{line}: ")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"absent\.yaml: no such file$"):
        read(tmp_path / "absent.yaml")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=f"{tmp_path}: cannot be read"):
        read(tmp_path)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: café\n".encode("latin-1"))
    with pytest.raises(SuiteError, match=r"latin\.yaml: cannot be read \(.*utf-8"):
        read(path)


def test_an_editor_of_another_system(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes("\ufeffname: café\r\nseeds: [0]\r\n".encode())
    data, lines = read(path)
    assert data == {"name": "café", "seeds": [0]}
    assert lines["seeds",] == 2


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file(text: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, text)) == (None, {(): 1})


def test_dotted() -> None:
    assert dotted(("students", 0, "model")) == "students[0].model"
    assert dotted(("teams", 2, 1)) == "teams[2][1]"
    assert dotted(()) == "(the whole file)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x: " + "[" * 100_000, "1: not valid YAML: lists and maps are nested too deeply, in more than 100 levels"),
        (
            "".join(" " * depth + "a:\n" for depth in range(200)),
            "101: not valid YAML: lists and maps are nested too deeply, in more",
        ),
        ("x: " + "a" * 2**20, "1: not valid YAML: found 1,048,579 characters; expected at most 1,048,576"),
    ],
    ids=["brackets", "indents", "a megabyte"],
)
def test_what_would_take_forever_is_refused_at_once(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=rf"{re.escape(told)}"):
        read(write(tmp_path, text))
