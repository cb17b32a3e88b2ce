"""Encoded images to squares, against torchvision, and kinds of images that are seldom right."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.photographs import Photographs
from kdbench_plugins.datasets.pictures import decode

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (10, 40, 220)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


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
    with pytest.raises(KdbenchError, match=r"cannot be decoded \(.*bytes were found: download the image again"):
        decode(data[: int(share * len(data))], 32)


def test_a_strip_is_refused() -> None:
    with pytest.raises(KdbenchError, match="found 2000 × 4 pixels, expected sides of at most 64 to 1"):
        decode(encoded(Image.new("RGB", (2000, 4))), 32)


def test_slices_and_errors_with_the_place(tmp_path: Path) -> None:
    paths = []
    for place in range(3):
        paths.append(tmp_path / f"{place}.png")
        paths[-1].write_bytes(encoded(smooth(40, 40, place)))
    images = Photographs(tuple(FileBlob(path) for path in paths), 32)
    assert len(images) == 3
    np.testing.assert_array_equal(images[1:][0], images[1])
    assert not np.array_equal(images[0], images[1])
    paths[2].write_bytes(b"<html>not found</html>")
    with pytest.raises(KdbenchError, match=rf"{paths[2]}: cannot be decoded"):
        images[2]
