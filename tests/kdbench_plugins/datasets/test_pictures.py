"""Encoded pictures to original and square pixels, against torchvision, and kinds of pictures that are seldom right."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from kdbench import KdbenchError
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.pictures import decode, original
from tests.support.encoded_pictures import encoded, png, smooth
from tests.support.fuzzing import some

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (10, 40, 220)


@pytest.mark.parametrize("shape", [(64, 48), (48, 64), (33, 31), (32, 32), (20, 90), (101, 17), (32, 45), (47, 32), (300, 299)])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_as_torchvision_does_it(shape: tuple[int, int], format: str) -> None:
    data = encoded(smooth(*shape), format)
    transform = Compose([Resize(32, InterpolationMode.BICUBIC), CenterCrop(32)])
    expected = np.asarray(transform(Image.open(io.BytesIO(data)).convert("RGB")))
    found = decode(data, 32)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def quarters() -> Image.Image:
    """Upper left red, upper right green, below blue."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:32, :32], pixels[:32, 32:], pixels[32:] = RED, GREEN, BLUE
    return Image.fromarray(pixels)


STORED = {  # how a camera stores what is to be seen as `quarters`, by EXIF orientation
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],  # to be turned by 90° clockwise
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(orientation: int) -> None:
    image = quarters()
    for turn in STORED[orientation]:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(encoded(image, "JPEG", quality=95, subsampling=0, exif=exif), 64).astype(int)
    for place, colour in (((16, 16), RED), ((16, 48), GREEN), ((48, 16), BLUE), ((48, 48), BLUE)):
        assert np.abs(found[place] - colour).max() <= 6, (orientation, place, found[place])


def test_cmyk() -> None:
    """A CMYK JPEG, which Adobe's programs write inverted: colours come out as they went in, not as their negatives."""
    image = quarters().convert("CMYK")
    for data in (encoded(image, "JPEG", quality=95), encoded(image, "TIFF")):
        assert Image.open(io.BytesIO(data)).mode == "CMYK"
        found = decode(data, 64).astype(int)
        for place, colour in (((16, 16), RED), ((16, 48), GREEN), ((48, 16), BLUE)):
            assert np.abs(found[place] - colour).max() <= 8, (place, found[place])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(format: str) -> None:
    values = np.linspace(0, 65535, 32 * 32).round().astype(np.uint16).reshape(32, 32)
    found = decode(encoded(Image.fromarray(values), format), 32)
    expected = np.floor(values / 257 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert len(np.unique(found)) == 256


def test_integers_of_unknown_range_are_refused() -> None:
    data = encoded(Image.fromarray(np.full((32, 32), 70_000, dtype=np.int32)), "TIFF")
    with pytest.raises(KdbenchError, match="found integers from 70000 to 70000, expected at most 16 bits"):
        decode(data, 32)
    with pytest.raises(KdbenchError, match="found the mode 'F'"):
        decode(encoded(Image.fromarray(np.zeros((32, 32), dtype=np.float32)), "TIFF"), 32)


def test_grey_palettes_and_transparency() -> None:
    image = quarters()
    grey = decode(encoded(image.convert("L")), 64)
    np.testing.assert_array_equal(grey, np.repeat(np.asarray(image.convert("L"))[..., None], 3, axis=2))
    np.testing.assert_array_equal(decode(encoded(image.quantize(8)), 64), np.asarray(image.quantize(8).convert("RGB")))
    clear = image.convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat([[255], [0]], 32, axis=0).repeat(64, axis=1).astype(np.uint8)))
    found = decode(encoded(clear), 64)
    np.testing.assert_array_equal(found[:32], np.asarray(image)[:32])
    assert (found[32:] == 255).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_what_is_cut_short_is_refused(format: str, share: float) -> None:
    data = encoded(smooth(200, 150), format)
    with pytest.raises(KdbenchError, match=r"cannot be decoded \(.*bytes were found: restore the image"):
        decode(data[: int(share * len(data))], 32)


def test_a_strip_is_refused() -> None:
    with pytest.raises(KdbenchError, match="found 2000 × 4 pixels, expected sides of at most 64 to 1"):
        decode(encoded(Image.new("RGB", (2000, 4))), 32)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(16, 40), st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF"]))
@some
def test_the_square_comes_from_the_original(width: int, height: int, size: int, format: str) -> None:
    """Whatever the shape: as Pillow reads the file, and as torchvision resizes and crops what was read."""
    data = encoded(smooth(width, height), format)
    if max(width, height) > 64 * min(width, height):
        with pytest.raises(KdbenchError, match="expected sides of at most 64 to 1"):
            original(data)
        return
    found = original(data)
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    transform = Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])
    np.testing.assert_array_equal(square(found, size), np.asarray(transform(Image.fromarray(found))))
    np.testing.assert_array_equal(decode(data, size), square(found, size))


def test_the_original_is_upright_and_on_white() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert original(encoded(smooth(40, 24), "JPEG", exif=exif)).shape == (40, 24, 3)
    clear = smooth(40, 24).convert("RGBA")
    clear.putalpha(0)
    assert (original(encoded(clear)) == 255).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("highest", [0, 255, 1023, 4095])
def test_sixteen_bits_that_hold_fewer_are_refused(format: str, highest: int) -> None:
    """They would be almost black: 12 bits of a camera or a microscope, 8 bits in a wider type."""
    values = np.linspace(0, highest, 32 * 32).round().astype(np.uint16).reshape(32, 32)
    with pytest.raises(KdbenchError, match=rf"found 16 bits a channel with values up to {highest:,}, expected up to 65,535"):
        original(encoded(Image.fromarray(values), format))


@pytest.mark.parametrize("highest", [200, 40_000])
def test_integers_of_32_bits_have_no_known_range(highest: int) -> None:
    values = np.full((32, 32), highest, dtype=np.int32)
    with pytest.raises(
        KdbenchError, match=rf"found integers from {highest} to {highest}, expected at most 16 bits with a known"
    ):
        original(encoded(Image.fromarray(values), "TIFF"))


def test_sixteen_bits_of_colour() -> None:
    """Pillow keeps the upper eight; if these are empty, the range is not known either."""
    assert original(colours_of_16_bits(40_000)).max() == 40_000 >> 8
    with pytest.raises(KdbenchError, match="found 16 bits a channel with values up to 3,855, expected up to 65,535"):
        original(colours_of_16_bits(4095))


def colours_of_16_bits(value: int) -> bytes:
    """A PNG of one colour, written by hand: Pillow writes no such file."""
    rows = (b"\0" + value.to_bytes(2, "big") * 3 * 20) * 20
    return png(20, 20, 16, 2, zlib.compress(rows))


@pytest.mark.parametrize("format", ["PGM", "PNG"])
def test_a_stated_range_is_known(format: str) -> None:
    """A PGM file states its highest value; Pillow scales it."""
    values = np.linspace(0, 1000, 32 * 32).round().astype(">u2").reshape(32, 32)
    if format == "PGM":
        data = b"P5 32 32 1000\n" + values.tobytes()
        expected = np.floor(np.round(values / 1000 * 65535) / 257 + 0.5)
    else:
        values = values * 65
        data, expected = encoded(Image.fromarray(values.astype(np.uint16))), np.floor(values / 257 + 0.5)
    assert np.abs(original(data)[..., 0].astype(int) - expected).max() <= 1


def test_several_pages_are_refused_and_frames_are_not() -> None:
    pages = [smooth(20, 20, seed) for seed in range(3)]
    with pytest.raises(KdbenchError, match="found 3 pages in a TIFF file, expected one"):
        original(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    moving = encoded(pages[0].quantize(16), "GIF", save_all=True, append_images=[page.quantize(16) for page in pages[1:]])
    np.testing.assert_array_equal(original(moving), np.asarray(pages[0].quantize(16).convert("RGB")))


def test_another_library_cannot_have_the_missing_part_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some set this when they are imported."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded(smooth(200, 150), "JPEG")
    with pytest.raises(KdbenchError, match=r"cannot be decoded \(.*truncated"):
        original(data[: len(data) // 2])
