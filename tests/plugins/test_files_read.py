"""The files that a plugin reads, by its own statement or by its parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kdbench import KdbenchError, Offer, Uses
from kdbench.plugins.files_read import files_read, left_out, named_files

TEXTS = st.text() | st.text("x/\0~.", min_size=1) | st.just("x" * 5000)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(VALUES)
def test_no_value_is_too_strange(value: Any) -> None:
    assert all(path.exists() for path in named_files(value))


def test_files_and_folders_are_found_wherever_a_value_holds_them(tmp_path: Path) -> None:
    file, folder = tmp_path / "weights.pt", tmp_path / "data"
    file.touch()
    folder.mkdir()
    value = {"a": [str(file), {"b": folder}], "c": (str(tmp_path / "none"), "", ".", 3)}
    assert list(named_files(value)) == [file, folder]


def test_a_text_is_no_path_because_something_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("train", "data/shards"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("a", "weights.pt", "data/plain"):
        (tmp_path / file).touch()
    texts = ["train", "a", "weights.pt", "data/shards", "data/plain"]
    assert [str(path) for path in named_files(texts)] == ["weights.pt", "data/shards", "data/plain"]
    assert [str(path) for path in named_files([Path("train"), Path("a")])] == ["train", "a"]


def test_a_folder_around_the_working_folder_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert list(named_files(["/", "..", "../..", str(tmp_path), Path("/"), tmp_path, str(Path.home().parent)])) == []
    assert list(named_files(str(tmp_path / "here"))) == [tmp_path / "here"]  # what is meant to be read


def test_a_folder_that_is_not_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")

    def build(*, root: Path | None = None, mark: str = "/") -> object:
        return root, mark

    offer = Offer("plain", build)
    for root in ("..", "/", "./", str(tmp_path)):
        assert left_out(offer, {"root": root}) == [("root", Path(root))]
    for root in ("", "data", "none", str(tmp_path / "here")):
        assert left_out(offer, {"root": root}) == []
    assert left_out(offer, {}) == left_out(Offer("stated", build, reads=lambda **_: []), {"root": ".."}) == []


def test_parameters_name_what_is_read_unless_the_plugin_says_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    def build(*, path: Path, text: str = "", inner: Annotated[dict[str, Any], Uses("teacher")] = {}) -> object:  # noqa: B006
        return path, text, inner

    def reads(*, path: Path, text: str, inner: dict[str, Any]) -> list[Path]:
        if text == "absent":
            raise KdbenchError("not here")
        return [path / text, path / str(len(inner))]

    params = {"path": str(tmp_path), "text": str(file), "inner": {"use": "other", "file": str(file)}}
    assert files_read(Offer("plain", build), params) == [tmp_path, file]  # `other` answers for its own
    stated = Offer("stated", build, reads=reads)
    assert files_read(stated, {"path": str(tmp_path), "text": "a"}) == [tmp_path / "a", tmp_path / "0"]
    assert files_read(Offer("nothing", build, reads=lambda **_: []), params) == []
    with pytest.raises(KdbenchError, match="not here"):
        files_read(stated, {"path": "", "text": "absent"})
    with pytest.raises(ValidationError):
        files_read(stated, {"path": 3})
