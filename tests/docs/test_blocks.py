"""Every code block of README and docs that shows a command or Python is run, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdbench.plugins.loading import installed
from kdbench.suite.schema import json_schema
from kdbench.suite.yaml_file import parse_scalar
from tests.support.page_runner import Page
from tests.support.pages import RUNNABLE, blocks, name_of, pages

WITH_CODE = [page for page in pages() if any(block.language in RUNNABLE for block in blocks(page))]


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    with Page(tmp_path).entered() as entered:
        for block in blocks(page):
            try:
                entered.run(block)
            except Exception as error:
                raise AssertionError(f"{name_of(page)}:{block.line}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_names_its_language(page: Path) -> None:
    assert [block.line for block in blocks(page) if not block.language] == []


def test_most_blocks_run() -> None:
    """What is marked is the exception, and every reason is a sentence."""
    found = [block for page in pages() for block in blocks(page) if block.language in RUNNABLE]
    left_out = [block for block in found if block.no_test]
    assert len(left_out) < len(found) / 2
    assert all(len(block.no_test.split()) > 2 for block in left_out)


def test_fragments_of_suites_have_keys_that_suites_have() -> None:
    """YAML is parsed, and its keys are those of a suite file."""
    keys = json_schema(installed())["properties"]
    validator = Draft202012Validator({"type": "object", "properties": dict.fromkeys(keys, True), "additionalProperties": False})
    found = [(page, block) for page in pages() for block in blocks(page) if block.language == "yaml"]
    assert found
    for page, block in found:
        errors = [error.message for error in validator.iter_errors(parse_scalar(block.text, name_of(page)))]
        assert errors == [], f"{name_of(page)}:{block.line}"
