from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench_plugins.reports.site.page_names import slug, token


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "../../etc", "", ".", "CON", "a" * 300, "é\x00/\\:*?", "\ud800", "☃"]
)
def test_any_name_becomes_a_safe_file_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?", slug(name))
    assert not re.fullmatch(r"con|prn|aux|nul", slug(name))


@given(st.text(max_size=60), st.text(max_size=60))
def test_two_names_never_share_one(first: str, second: str) -> None:
    assert (slug(first) == slug(second)) == (first == second)


def test_names_that_read_alike_stay_apart() -> None:
    names = ["torchjd:mgda", "torchjd-mgda", "TorchJD:MGDA", "torchjd/mgda", "torchjd:mgda "]
    assert len({slug(name) for name in names}) == len(names)
    assert all(slug(name).startswith("torchjd-mgda-") for name in names)


def test_a_run_keeps_its_id_and_nothing_else_passes_for_one() -> None:
    assert token("03bd5a0f4ab6") == "03bd5a0f4ab6"
    for other in ("03bd5a0f4ab6\n", "03BD5A0F4AB6", "../bd5a0f4ab", "03bd5a0f4ab"):
        assert token(other) == slug(other) != other
