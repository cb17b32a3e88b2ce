"""Storages as they are written and as they are shown."""

from __future__ import annotations

import pytest

from kdbench.tuning.storage_url import driven, shown


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:se:cret@host/db") == "postgresql://me:***@host/db"
    assert shown("postgresql://me@host:5432/db") == "postgresql://me@host:5432/db"
    assert shown("results/x/studies.journal") == "results/x/studies.journal"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_has_the_driver_that_is_installed(scheme: str) -> None:
    assert driven(f"{scheme}://me:secret@host:5432/db?sslmode=require") == (
        "postgresql+psycopg://me:secret@host:5432/db?sslmode=require"
    )
    assert driven("postgresql+psycopg2://host/db") == "postgresql+psycopg2://host/db"
    assert driven("sqlite:///studies.db") == "sqlite:///studies.db"
