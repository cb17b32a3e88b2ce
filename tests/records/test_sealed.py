from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.records.files import read_record, write_record
from kdbench.records.profiles import read_profile, write_profile
from kdbench.records.sealed import SEAL
from kdbench.records.study_summary import read_summary
from tests.support.made_boards import profile
from tests.support.made_records import edit, made, tuned
from tests.support.paths import ROOT
from tests.support.toys import plugged


def profiled(folder: Path) -> Path:
    return write_profile(folder, "toys", profile(plugged("toy"), {1: 2.0}, {1: 1.0}))


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "record": (made, read_record),
    "profile": (profiled, read_profile),
    "study": (lambda folder: tuned(folder)[0], read_summary),
}


@pytest.mark.fault("an altered bit of a record, a profile or a study", times=100)
@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_gives_another_content(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    path = make(tmp_path)
    whole, content = path.read_bytes(), read(path)

    @given(st.integers(0, len(whole) - 1), st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        with suppress(RecordError):
            assert read(path) == content

    check()


def test_the_sum_is_the_last_field_and_no_part_of_what_is_read(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert list(json.loads(path.read_text()))[-1] == SEAL
    record, text = read_record(path), path.read_bytes()
    assert write_record(tmp_path, record).read_bytes() == text
    assert SEAL not in record.model_dump()


def test_how_a_file_is_set_makes_no_difference(tmp_path: Path) -> None:
    path = made(tmp_path)
    record = read_record(path)
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True).replace(", ", ",\r\n"))
    assert read_record(path) == record


def test_an_edit_is_told(tmp_path: Path) -> None:
    path = made(tmp_path)
    path.write_text(path.read_text().replace('"threads": 1', '"threads": 2'))
    with pytest.raises(RecordError, match=r"sha256 [0-9a-f]{12}…, not the one that it states: it is damaged or was edited"):
        read_record(path)


def test_files_from_before_there_were_sums_are_read(tmp_path: Path) -> None:
    path = made(tmp_path)
    record = read_record(path)
    edit(path, lambda _: None, seal=False)
    assert SEAL not in json.loads(path.read_text())
    assert read_record(path) == record
    published = next(path for path in sorted((ROOT / "results/ammkd").glob("*.json")) if len(path.stem) == 12)
    assert read_record(published).status == "ok"
