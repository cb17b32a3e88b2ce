"""Warnings of other libraries, from `warnings` and from logging."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import KdbenchWarning
from kdbench.plugins.library_warnings import LENGTH, MOST, LibraryWarning, collected, kept_in, library_of, warn_again

WAYS: dict[str, Callable[[str], None]] = {
    "warnings": lambda text: warnings.warn(text, UserWarning, stacklevel=1),
    "of the future": lambda text: warnings.warn(text, FutureWarning, stacklevel=1),
    "root logger": logging.warning,
    "a logger": logging.getLogger("timm.models").warning,
    "an error logged": logging.getLogger("timm.models").error,
    "a logger apart": logging.getLogger("transformers.modeling").warning,
}


def passed_on(record: list[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in record if one.category is LibraryWarning]


@pytest.mark.parametrize("way", WAYS)
def test_each_is_collected_and_passed_on_once(way: str) -> None:
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        with collected() as found:
            for _ in range(3):
                WAYS[way]("weights and model disagree")
    assert len(found) == 1
    assert found[0].endswith(": weights and model disagree")
    assert passed_on(record) == found


@given(st.lists(st.tuples(st.sampled_from(sorted(WAYS)), st.sampled_from(["one", "two", "x" * 900, "a\n b"])), max_size=12))
def test_any_mixture_is_each_warning_once_in_order(given: list[tuple[str, str]]) -> None:
    with warnings.catch_warnings(record=True) as record, collected() as found:
        for way, text in given:
            WAYS[way](text)
    expected = list(dict.fromkeys((_library(way), " ".join(text.split())) for way, text in given))
    assert found == [f"{name}: {text}"[:LENGTH] for name, text in expected][:MOST]
    assert passed_on(record) == found


def _library(way: str) -> str:
    """Who warns in this file, by the way."""
    return {"a logger": "timm", "an error logged": "timm", "a logger apart": "transformers"}.get(way, Path(__file__).stem)


def test_a_later_run_in_the_same_process_gets_it_again() -> None:
    kept = []
    for _ in range(2):
        with collected() as found:
            WAYS["warnings"]("weights and model disagree")
        kept.append(found)
    assert kept[0] == kept[1] != []


def test_warnings_of_kdbench_pass_unchanged_and_are_not_kept() -> None:
    with pytest.warns(KdbenchWarning, match="ours"), collected() as found:
        warnings.warn("ours", KdbenchWarning, stacklevel=1)
    assert found == []


def test_filters_of_libraries_and_warnings_for_authors_are_respected() -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        with collected() as found:
            warnings.warn("for authors", DeprecationWarning, stacklevel=1)
            warnings.filterwarnings("ignore", "known and harmless")
            warnings.warn("known and harmless", UserWarning, stacklevel=1)
    assert found == []


def test_an_inner_collection_is_part_of_the_outer_one() -> None:
    with collected() as outer, collected() as inner:
        WAYS["root logger"]("weights and model disagree")
    assert inner == outer != []


def test_what_made_an_entry_of_the_cache_warns_whoever_uses_it(tmp_path: Path) -> None:
    with kept_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
    with collected() as first, kept_in(tmp_path):
        WAYS["a logger"]("pooler is newly initialised")
    with collected() as later:
        warn_again(tmp_path)
    assert later == first == ["timm: pooler is newly initialised"]


def test_nothing_is_left_behind() -> None:
    before = list(logging.root.handlers), warnings.showwarning, list(warnings.filters)
    with collected():
        pass
    assert before == (list(logging.root.handlers), warnings.showwarning, list(warnings.filters))


def test_names_of_libraries() -> None:
    assert library_of("/usr/lib/python3/site-packages/open_clip/factory.py") == "open_clip"
    assert library_of("/usr/lib/python3/dist-packages/six.py") == "six"
    assert library_of("/home/me/mine.py") == "mine"


def test_a_command_shows_them_once(tmp_path: Path) -> None:
    code = (
        "import sys, warnings, logging; sys.argv = ['kdbench', 'info']\n"
        "from kdbench.cli import common, main\n"
        "@common.app.command()\n"
        "def warns():\n"
        "    for _ in range(2): warnings.warn('weights and model disagree'); logging.warning('a checkpoint of two')\n"
        "sys.argv[1] = 'warns'; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr.splitlines() == [
        "warning: <string>: weights and model disagree",
        "warning: <string>: a checkpoint of two",
    ]


def test_json_of_kept_warnings_is_text(tmp_path: Path) -> None:
    with kept_in(tmp_path):
        WAYS["warnings"]("Grüße “quoted”")
    [path] = tmp_path.iterdir()
    assert json.loads(path.read_text(encoding="utf-8"))[0].endswith("Grüße “quoted”")


def test_what_is_left_out_is_counted_and_told() -> None:
    """Also by a collection inside of another one; a warning that comes again counts once."""
    told = f"found {MOST + 5} different warnings of libraries; the first {MOST} are shown and kept"
    with warnings.catch_warnings(record=True) as record, collected() as found:
        for _ in range(2):
            for number in range(MOST + 5):
                WAYS["a logger"](f"picture {number}")
    assert found == [*(f"timm: picture {number}" for number in range(MOST)), told]
    assert passed_on(record) == found
