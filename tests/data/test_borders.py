"""What encoders return: anything but one finite row per item is refused, whatever is wrong and wherever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kdbench import Encoder, Modality, PluginError
from kdbench.data.borders import EqualRows, checked_encoder, checked_rows, stored_rows
from kdbench.data.encoding import CHUNK
from tests.support.toys import Beads, Projection, cached

Spoil = Callable[[Tensor], Any]
SPOILS: dict[str, Spoil] = {
    "a row is missing": lambda made: made[:-1],
    "the first row is missing": lambda made: made[1:],
    "a row is there twice": lambda made: torch.cat([made, made[-1:]]),
    "numpy": lambda made: made.numpy(),
    "a list": lambda made: list(made),
    "None": lambda _: None,
    "a scalar": lambda made: made.sum(),
    "complex": lambda made: made.to(torch.complex64),
    "one number is NaN": lambda made: made.index_fill(0, torch.tensor([len(made) // 2]), float("nan")),
    "one number is infinite": lambda made: made.index_fill(0, torch.tensor([len(made) - 1]), float("-inf")),
    "one number is beyond float16": lambda made: made.index_fill(0, torch.tensor([0]), 7e4),
}


class Spoilt(Projection):
    """Returns something else from its `after`-th call on."""

    def __init__(self, modality: Modality, spoil: Spoil, after: int = 0) -> None:
        super().__init__(modality, 6, 0)
        self.spoil, self.left = spoil, after
        self.key = f"spoilt {id(self)}"

    def encode(self, items: Any, device: str) -> Tensor:
        made = super().encode(items, device)
        self.left -= 1
        spoilt: Tensor = self.spoil(made) if self.left < 0 else made
        return spoilt


@given(st.sampled_from(sorted(SPOILS)), st.integers(1, 5), st.integers(0, 300))
def test_wrong_rows_are_refused_and_named(what: str, count: int, first: int) -> None:
    made = torch.rand(count, 3)
    encoder = Projection("image", 3, 0)
    with pytest.raises(PluginError) as raised:
        stored_rows(encoder, SPOILS[what](made), count, first, "train image")
    assert str(raised.value).startswith("tests.support.toys.Projection.encode")
    if "number" in what:
        row = first + {"NaN": count // 2, "infinite": count - 1, "float16": 0}[what.split()[-1]]
        assert f"for train image {row} alone of {count} items, expected " in str(raised.value)


@given(st.integers(1, 5), st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.uint8, torch.int64]))
def test_right_rows_are_kept_as_they_are(count: int, dtype: torch.dtype) -> None:
    made = (torch.rand(count, 2, 3) * 100).to(dtype)
    found = stored_rows(Projection("text", 3, 0), made, count, 0, "train text")
    assert found.dtype == (np.float16 if dtype.is_floating_point else made.numpy().dtype)
    np.testing.assert_array_equal(found, (made.half() if dtype.is_floating_point else made).numpy())
    assert checked_rows(Projection("text", 3, 0), made, count) is made


@pytest.mark.parametrize("what", sorted(SPOILS))
@pytest.mark.parametrize("after", [0, 1])
def test_a_wrong_chunk_leaves_no_entry_and_a_mended_encoder_is_asked_anew(what: str, after: int, tmp_path: Path) -> None:
    """Neither the rows before the fault nor those after it come from the broken encoder."""
    dataset = cached(tmp_path, Beads(train=CHUNK // 3 + 2))  # three captions each: two chunks
    encoder = Spoilt("text", SPOILS[what], after)
    with pytest.raises(PluginError, match=r"Spoilt\.encode"):
        dataset.encode(encoder, "train")
    encoder.spoil = lambda made: made
    items = dataset.split("train").captions
    oracle = [Projection("text", 6, 0).encode([item], "cpu")[0].half().numpy() for item in items]
    np.testing.assert_allclose(dataset.encode(encoder, "train"), np.stack(oracle), atol=2e-3)


@pytest.mark.parametrize("other", [lambda made: made[:, :-1], lambda made: made.int(), lambda made: made[..., None]])
def test_chunks_of_other_widths_or_types_are_refused(other: Spoil, tmp_path: Path) -> None:
    """Written one after the other, they would be read as rows of the first chunk's form."""
    dataset = cached(tmp_path, Beads(train=CHUNK // 3 + 2))
    with pytest.raises(PluginError, match="as for the first items"):
        dataset.encode(Spoilt("text", other, 1), "train")
    equal, rows = EqualRows(Projection("text", 6, 0)), np.zeros((4, 2))
    assert equal(rows) is rows
    assert equal(rows[:1]).shape == (1, 2)  # the last chunk is shorter


def test_a_check_sees_the_first_chunk_before_the_second_is_computed(tmp_path: Path) -> None:
    dataset, encoder = cached(tmp_path, Beads(train=CHUNK // 3 + 2)), Projection("text", 6, 0)

    def check(values: Any) -> None:
        raise PluginError(f"saw {len(values)}")

    with pytest.raises(PluginError, match=f"saw {CHUNK}"):
        dataset.encode(encoder, "train", check)
    assert encoder.calls == 1


class Holder:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("encoder", "error"),
    [
        (None, r"Holder\.images\.modality: found None, expected 'image' or 'text'"),
        (Holder(modality="sound", key="k", encode=len, base=None), "found 'sound'"),
        (Holder(modality="image", key="k", base=None), r"Holder\.encode: found nothing, expected a method"),
        (Holder(modality="image", encode=len, base=None), r"Holder\.key: found None, expected a string"),
        (Holder(modality="image", key="", encode=len, base=None), r"Holder\.key: found ''"),
        (Holder(modality="image", key="k", encode=len, base=Holder(modality=3)), r"Holder\.base\.modality: found 3"),
    ],
)
def test_what_is_no_encoder(encoder: Any, error: str) -> None:
    with pytest.raises(PluginError, match=error):
        checked_encoder(encoder, Holder(), "images")


def test_an_encoder() -> None:
    encoder: Encoder = Projection("image", 3, 0)
    assert checked_encoder(encoder, Holder(), "images") is encoder
