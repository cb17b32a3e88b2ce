"""The JSON Schema that editors are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from kdbench import Offer, hookimpl
from kdbench.plugins.loading import Plugins, installed
from kdbench.suite.extends import read_extended
from kdbench.suite.schema import SUITE_KINDS, json_schema
from kdbench.suite.yaml_file import read
from tests.support.paths import ROOT

QUICKSTART = ROOT / "suites/quickstart.yaml"


def validator(plugins: Plugins) -> Draft202012Validator:
    schema = json_schema(plugins)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def valid(plugins: Plugins) -> Callable[[Path], bool]:
    """Whether a suite file has the tiny plugins' schema."""
    check = validator(plugins)
    return lambda path: check.is_valid(read(path)[0])


def test_title(plugins: Plugins) -> None:
    assert json_schema(plugins)["title"] == "kdbench suite"


def test_the_tiny_suite_is_valid(suite_file: Callable[..., Path], valid: Callable[[Path], bool]) -> None:
    assert valid(suite_file())
    assert valid(suite_file(("- use: pebble", "- pebble"), ("C: 0.6", "C: 1, name: loose")))
    assert valid(suite_file(("{use: lens, focal: 35.0}", "{use: tutor, student: {use: pebble, width: 4}}")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train: {", "trian: {"),
        ("epochs: 2", "epochz: 2"),
        ("recall_at: [1, 5]", "recall_at: []"),
        ("- equal", "- eqaul"),
        ("C: 0.6", "c: 0.6"),
        ("C: 0.6", "C: 1.5"),
        ("C: 0.6", "C: high"),
        ("use: shapes", "use: shape"),
        ("{use: lens, focal: 35.0}", "{use: lens}"),
        ("{use: lens, focal: 35.0}", "{use: pebble}"),
        ("{use: lens, focal: 35.0}", "{use: tutor, student: {use: pebble, widht: 4}}"),
        ("{use: cosine}", "{use: cosine, coefficient: much}"),
        ("{use: cosine}", "{use: cosine, coeficient: 1.0}"),
        ("name: tiny", "description: tiny"),
    ],
)
def test_what_is_wrong_is_refused(old: str, new: str, suite_file: Callable[..., Path], valid: Callable[[Path], bool]) -> None:
    assert not valid(suite_file((old, new)))


def test_every_plugin_is_there_with_its_summary(plugins: Plugins) -> None:
    definitions = json_schema(plugins)["$defs"]
    for kind in SUITE_KINDS:
        names = set(plugins.offers(kind))
        assert names
        assert {key.partition(":")[2] for key in definitions if key.startswith(f"{kind}:")} == names
        for name in names:
            use = definitions[f"{kind}:{name}"]["properties"]["use"]
            assert use == {"const": name, "description": plugins.offers(kind)[name].offer.summary}


class Mixture(BaseModel):
    share: float


class Others:
    """Parameters whose types have a name of their own, and an offer whose name has a slash."""

    @hookimpl
    def kdbench_strategies(self) -> list[Offer[Any]]:
        def mixed(*, mixture: Mixture, mode: Literal["fast", "slow"] = "fast") -> None: ...

        return [Offer("mixed", mixed), Offer("group/soft", mixed)]


@pytest.mark.parametrize("name", ["mixed", "group/soft"])
def test_references_can_be_followed(name: str) -> None:
    plugins = Plugins()
    plugins.register(Others(), "tests:others")
    schema = json_schema(plugins)
    check = Draft202012Validator({**schema, "required": [], "anyOf": [{}]})
    assert check.is_valid({"strategies": [{"use": name, "mixture": {"share": 0.5}}]})
    assert not check.is_valid({"strategies": [{"use": name, "mixture": {"share": "half"}}]})


@pytest.fixture(scope="module")
def quickstart() -> tuple[Draft202012Validator, dict[str, Any]]:
    return validator(installed()), read_extended(QUICKSTART).data


def test_quickstart_is_valid(quickstart: tuple[Draft202012Validator, dict[str, Any]]) -> None:
    check, suite = quickstart
    assert [error.message for error in check.iter_errors(suite)] == []


def test_presets_may_bring_what_is_required(quickstart: tuple[Draft202012Validator, dict[str, Any]]) -> None:
    check, _ = quickstart
    written, _ = read(QUICKSTART)
    assert check.is_valid(written)
    assert not check.is_valid({key: value for key, value in written.items() if key != "extends"})
    assert not check.is_valid(written | {"extends": 5})


@pytest.mark.parametrize("place", [("train",), ("evaluate",), ("students", 0), ("teachers", "lite0"), ("strategies", 1)])
def test_a_misspelt_key_in_quickstart_is_refused(
    place: tuple[str | int, ...], quickstart: tuple[Draft202012Validator, dict[str, Any]]
) -> None:
    check, _ = quickstart
    suite = read_extended(QUICKSTART).data
    assert check.is_valid(suite)
    part = suite
    for step in place:
        part = part[step]
    part["epocs"] = 3
    assert not check.is_valid(suite)
