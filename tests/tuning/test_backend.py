"""Journals, databases, and what cannot be opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.suite.study import Study, studies
from kdbench.tuning.locks import FileLocks
from kdbench.tuning.storage import Storage
from tests.support.sweeping import abandoned, claimed, conducted, opened, suite_of


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def test_a_line_left_half_written_is_cut_off(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    path = tmp_path / "sweep" / "studies.journal"
    with path.open("a") as stream:
        stream.write('{"op_code": 4, "work')
    again = opened(tmp_path)
    assert again.counts(study) == {"waiting": 4}
    conducted(again, study)
    assert opened(tmp_path).counts(study) == {"complete": 4}
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_database_serves_as_well(tmp_path: Path, study: Study) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    here, there = Storage(url, tmp_path / "cache"), Storage(url, tmp_path / "cache")
    assert isinstance(here.locks, FileLocks)
    here.set_up(study)
    claim = claimed(here, study)
    params = claim.draw()
    assert claimed(there, study).number == 1
    abandoned(claim)
    assert claimed(there, study).draw() == params
    assert there.counts(study) == {"running": 2, "waiting": 2}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/none", "cannot be opened"),
        ("sqlite:////no/such/folder/studies.db", "unable to open database file"),
        ("nosuch://somewhere/x", "nosuch"),
    ],
)
def test_a_storage_that_cannot_be_opened(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(KdbenchError, match=said) as raised:
        Storage(place, tmp_path)
    assert str(raised.value).startswith("--storage ")
    assert "secret" not in str(raised.value)
