"""What a student's towers read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from kdbench_plugins.students.readers import Resized, Tokens
from kdbench_plugins.tokens import own_tokenizer
from tests.support.fuzzing import some
from tests.support.pictured import SHAPES, picture

few = settings(some, max_examples=30)


def noise(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 32)])
def test_resizing_is_pillows(height: int, width: int) -> None:
    images = noise(3, 40)
    resized = Resized(height, width, "bicubic").encode(images, "cpu")
    assert resized.dtype == torch.uint8
    for image, found in zip(images, resized, strict=True):
        expected = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(found.numpy(), np.asarray(expected))


def test_pictures_of_the_right_size_stay_as_they_are() -> None:
    images = noise(2, 32)
    images.flags.writeable = False
    np.testing.assert_array_equal(Resized(32, 32, "bicubic").encode(images, "cpu").numpy(), images)


@few
@given(st.sampled_from([8, 15, 24]), st.integers(4, 40), st.sampled_from(["bicubic", "bilinear"]), st.integers(0, 255))
def test_square_pictures_are_resized_whole_in_every_mode(size: int, side: int, interpolation: str, fill: int) -> None:
    """So that students of datasets without originals read what they did before there were modes."""
    images = noise(2, side)
    method = Image.Resampling[interpolation.upper()]
    expected = np.stack([np.asarray(Image.fromarray(image).resize((size, size), method)) for image in images])
    for mode in ("shortest", "longest", "squash"):
        found = Resized(size, size, interpolation, mode, fill).encode(images, "cpu")
        np.testing.assert_array_equal(found.numpy(), expected)


@few
@given(SHAPES, st.sampled_from(["shortest", "longest", "squash"]), st.integers(4, 20), st.integers(4, 20))
def test_original_pictures_become_pixels_of_one_size(shapes: list[tuple[int, int]], mode: str, height: int, width: int) -> None:
    reader = Resized(height, width, "bicubic", mode, 7)
    pictures = [picture(seed, *shape) for seed, shape in enumerate(shapes)]
    together = reader.encode(pictures, "cpu")
    assert together.shape == (len(shapes), height, width, 3)
    assert together.dtype == torch.uint8
    for row, one in zip(together, pictures, strict=True):
        assert torch.equal(reader.encode([one], "cpu")[0], row)


def test_key_follows_the_mode_and_what_is_padded_with() -> None:
    looks = [("shortest", 0), ("longest", 0), ("squash", 0), ("longest", 1)]
    assert len({Resized(8, 8, "bicubic", *look).key for look in looks}) == len(looks)


def test_key_follows_size_and_filter() -> None:
    # open_clip's "random" interpolation is bicubic when nothing is drawn
    keys = [Resized(*args).key for args in ((8, 8, "bicubic"), (8, 9, "bicubic"), (9, 8, "bicubic"), (8, 8, "bilinear"))]
    assert len(set(keys)) == 4
    assert Resized(8, 8, "random").key == Resized(8, 8, "bicubic").key


def test_tokens_are_the_tokenizers_in_int32() -> None:
    tokenizer = own_tokenizer({"text_cfg": {"context_length": 7}})
    captions = ["a cat", "", "one two three four five six seven eight"]
    tokens = Tokens(tokenizer).encode(captions, "cpu")
    assert tokens.dtype == torch.int32
    assert tokens.shape == (3, 7)
    assert torch.equal(tokens.long(), tokenizer(captions))
    assert torch.equal(tokens[1:2], Tokens(tokenizer).encode(captions[1:2], "cpu"))


def test_key_follows_the_context() -> None:
    contexts = (7, 8, 7)
    one, other, same = (Tokens(own_tokenizer({"text_cfg": {"context_length": n}})).key for n in contexts)
    assert one == same != other
