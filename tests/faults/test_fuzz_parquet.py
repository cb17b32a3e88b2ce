"""10,000 Parquet files: rows as `folder` reads them, images as `flickr30k` does, and bytes changed or lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tests.support.fuzzing import many
from tests.support.parquet_properties import damaged_file_is_told, damages, images_agree, parquet_images
from tests.support.table_inputs import rows
from tests.support.table_properties import table_agrees

pytestmark = pytest.mark.fault("a strange or damaged Parquet file")


@given(rows())
@many
def test_rows(tmp_path: Path, table: list[dict[str, Any]]) -> None:
    table_agrees(table, tmp_path / "t.parquet")


@given(parquet_images())
@many
def test_images(tmp_path: Path, table: list[dict[str, Any]]) -> None:
    images_agree(table, tmp_path)


@given(**damages)
@many
def test_damage(tmp_path: Path, **damage: Any) -> None:
    damaged_file_is_told(tmp_path / "t.parquet", **damage)
