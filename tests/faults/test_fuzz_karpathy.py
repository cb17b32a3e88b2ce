"""10,000 of Karpathy's JSON files and as many of the CSV copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.support.fuzzing import many
from tests.support.karpathy_properties import csv_agrees, documents, json_agrees, make_files

pytestmark = pytest.mark.fault("a strange or damaged file of Karpathy's splits")


@given(documents)
@many
def test_json(tmp_path: Path, document: list[dict[str, Any]]) -> None:
    json_agrees(document, tmp_path if (tmp_path / "images").exists() else make_files(tmp_path))


@given(documents)
@many
def test_csv(tmp_path: Path, document: list[dict[str, Any]]) -> None:
    csv_agrees(document, tmp_path if (tmp_path / "images").exists() else make_files(tmp_path))
