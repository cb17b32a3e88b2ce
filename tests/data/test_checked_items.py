"""Pictures and captions as they come from a dataset: errors name split, index and source."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError, PluginError, Split
from kdbench.data.checked_items import checked_caption, checked_picture, read_picture

GOOD = np.zeros((4, 4, 3), dtype=np.uint8)


class Fails:
    """A sequence of one image, which cannot be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        raise self.error


def split_of(images: Any, sources: Any = ()) -> Split:
    return Split(images, ["a"], np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), sources)


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    st.sampled_from(["uint8", "float32", "float64", "int64", "uint16", "bool"]),
)
def test_exactly_squares_of_bytes_pass(shape: tuple[int, int, int], dtype: str) -> None:
    picture = np.ones(shape, dtype=dtype)
    if (shape, dtype) == ((4, 4, 3), "uint8"):
        assert checked_picture(picture, 4, "train image 0") is picture
    else:
        with pytest.raises(PluginError, match=r"^train image 0: found .*, expected uint8 of shape \[4, 4, 3\]") as raised:
            checked_picture(picture, 4, "train image 0")
        assert ("multiply by 255" in str(raised.value)) == dtype.startswith("float")


def test_a_picture_is_read_as_it_is() -> None:
    found, digest = read_picture(split_of([GOOD]), "train", 0, 4)
    assert found is GOOD
    assert digest == b""


def test_sources_are_asked_for_only_where_something_is_wrong() -> None:
    """Those of shards are looked up: once for each image, decoding took hours."""
    asked = Fails(AssertionError("asked for a source"))
    assert read_picture(split_of([GOOD], asked), "train", 0, 4)[0] is GOOD
    with pytest.raises(AssertionError, match="asked for a source"):
        read_picture(split_of([GOOD], asked), "train", 0, 5)


@pytest.mark.parametrize("sources", [(), ("photos/7.jpg",)])
@pytest.mark.parametrize(
    "error", [ValueError("out of order"), FileNotFoundError(errno.ENOENT, "not there"), OSError("not an image")]
)
def test_what_cannot_be_read_is_named(error: Exception, sources: tuple[str, ...]) -> None:
    where = "test image 0 (photos/7.jpg)" if sources else "test image 0"
    with pytest.raises(PluginError) as raised:
        read_picture(split_of(Fails(error), sources), "test", 0, 4)
    assert str(raised.value) == f"{where}: {type(error).__name__}: {error}"


@pytest.mark.parametrize("error", [KdbenchError("as it is"), OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
def test_errors_that_are_not_of_the_picture_stay(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        read_picture(split_of(Fails(error)), "test", 0, 4)
    assert raised.value is error


@given(st.text() | st.text(alphabet=st.characters(categories=["Cs"]), min_size=1) | st.none() | st.integers() | st.binary())
def test_exactly_text_that_can_be_written_passes(caption: Any) -> None:
    try:
        fits = isinstance(caption, str) and caption.encode() is not None
    except UnicodeEncodeError:
        fits = False
    if fits:
        assert checked_caption(caption, "train caption 3") is caption
    else:
        with pytest.raises(
            PluginError, match=r"^train caption 3: found .*, ?(expected)?|^train caption 3: found .*; expected text"
        ):
            checked_caption(caption, "train caption 3")
