"""Damaged picture files are refused wherever their format shows the damage; in `make faults` with 10,000 inputs each."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kdbench import KdbenchError
from kdbench_plugins.datasets.damage import refuse_damage
from kdbench_plugins.datasets.pictures import original
from tests.support import picture_properties as properties
from tests.support.encoded_pictures import encoded, png, smooth
from tests.support.fuzzing import some
from tests.support.picture_inputs import FORMATS, MODES, Damage, damages, file_of, pictures

JPEGS = ("jpeg", "jpeg-optimized", "jpeg-restarts")
ANY = ("lost", "zeroed", "changed", "cut", "ended")


@given(pictures(), st.sampled_from(list(FORMATS)), st.sampled_from(MODES))
@some
def test_undamaged_files_are_read(picture: Image.Image, name: str, mode: str) -> None:
    properties.undamaged_is_read(picture, name, mode)


@given(pictures(8, 40), st.sampled_from(JPEGS), damages(("lost", "zeroed", "changed"), 0, 24))
@some
def test_jpeg_against_a_slow_reader(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.jpeg_agrees(picture, name, damage)


@given(pictures(8, 60), st.sampled_from(properties.WITH_CHECKSUMS), damages(ANY, 1, 60))
@some
def test_checksums(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.checksums_show_everything(picture, name, damage)


@given(pictures(100, 140, noise=20), st.sampled_from(list(properties.SHOWS)), damages(("lost", "zeroed"), 512, 1024))
@some
def test_losses(picture: Image.Image, name: str, damage: Damage) -> None:
    properties.losses_show(picture, name, damage)


@given(pictures(8, 60), st.sampled_from(list(FORMATS)), st.sampled_from(MODES), damages(ANY, 1, 60))
@some
def test_no_other_error(picture: Image.Image, name: str, mode: str, damage: Damage) -> None:
    properties.only_kdbench_errors(damage.of(file_of(picture, name, mode)))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", ["jpeg", "jpeg-optimized", "jpeg-restarts", "jpeg-progressive"])
def test_a_jpeg_that_lost_its_end_and_was_given_a_mark(name: str, share: float) -> None:
    """libjpeg makes the rest grey, and Pillow says nothing."""
    data = file_of(smooth(320, 240), name)
    damaged = data[: 800 + int(share * (len(data) - 800))] + b"\xff\xd9"
    assert Image.open(io.BytesIO(damaged)).convert("RGB").size == (320, 240)
    with pytest.raises(KdbenchError, match=r"cannot be decoded \(Corrupt JPEG data: premature end of data segment\)"):
        original(damaged)


def test_a_jpeg_that_has_more_data_than_pixels() -> None:
    data = file_of(smooth(320, 240), "jpeg")
    with pytest.raises(KdbenchError, match="found more data than its pixels need"):
        original(data[:-2] + b"\x55" + data[-2:])
    assert original(data[:-2] + bytes(20) + data[-2:]).shape == (240, 320, 3)  # as some cameras fill up


@pytest.mark.parametrize("selection", [b"\0\0\0", b"\0\x3e\0", b"\1\x3f\x11"])
def test_a_jpeg_with_a_spectral_selection_that_its_one_scan_does_not_have(selection: bytes) -> None:
    """Some cameras write these; decoders warn and decode the picture alike. Losses are still found."""
    data = file_of(smooth(320, 240), "jpeg")
    scan = data.index(b"\xff\xda")
    last = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    odd = data[: last - 3] + selection + data[last:]
    assert np.array_equal(original(odd), original(data))
    with pytest.raises(KdbenchError):
        original(odd[: last + 200] + odd[-2:])


def test_a_jpeg_of_another_version_of_jfif() -> None:
    data = file_of(smooth(32, 24), "jpeg")
    assert data[6:11] == b"JFIF\0"
    assert (original(data[:11] + b"\2" + data[12:]) == original(data)).all()


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_damage_in_jpegs_of_other_colours(mode: str) -> None:
    data = encoded(smooth(160, 120).convert(mode), "JPEG")
    assert original(data).shape == (120, 160, 3)
    with pytest.raises(KdbenchError, match="premature end"):
        original(data[: len(data) // 2] + b"\xff\xd9")


@pytest.mark.parametrize("name", JPEGS)
def test_a_restart_before_the_end_mark(name: str) -> None:
    """Some cameras write one after the last rows, too. What is missing or left over before it still shows."""
    data = file_of(smooth(320, 240), name)
    odd = data[:-2] + b"\xff\xd3" + data[-2:]
    assert np.array_equal(original(odd), original(data))
    middle, end = len(data) // 2, odd[-4:]
    with pytest.raises(KdbenchError, match="cannot be decoded"):
        original(data[:middle] + end)
    if name != "jpeg-restarts":  # of which libjpeg overlooks what is left over
        with pytest.raises(KdbenchError, match="found more data than its pixels need"):
            original(data[:-2] + b"\x55" + end)


def _alpha(picture: Image.Image) -> tuple[bytes, int]:
    """A WebP file with its transparency uncompressed, and where that begins."""
    data = encoded(picture, "WEBP", quality=80)
    place = data.index(b"ALPH")
    end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")
    raw = b"\0" + picture.getchannel("A").tobytes()
    chunk = b"ALPH" + struct.pack("<I", len(raw)) + raw + bytes(len(raw) % 2)
    made = data[:place] + chunk + data[end + end % 2 :]
    return made[:4] + struct.pack("<I", len(made) - 8) + made[8:], place + 9


def test_webp_with_uncompressed_transparency() -> None:
    """Every transparent pixel is a zero."""
    picture = smooth(60, 40).convert("RGBA")
    picture.putalpha(Image.new("L", (60, 40), 0))
    picture.paste(smooth(60, 20), (0, 20))
    data, start = _alpha(picture)
    assert data[start : start + 1200] == bytes(1200)
    found = original(data)
    assert (found[:20] == 255).all()
    assert (found[20:] != 255).any()


@pytest.mark.parametrize("options", [{"lossless": True, "method": 0}, {"lossless": True, "method": 6}, {"quality": 20}])
def test_sparse_webp(options: dict[str, Any]) -> None:
    """Drawings of a few pixels on one colour, whose codes are zeros for most of the file."""
    rng = np.random.default_rng(0)
    for share in (0.0, 0.001, 0.1):
        dots = Image.fromarray((rng.random((500, 600)) < share).astype(np.uint8) * 255)
        assert original(encoded(dots, "WEBP", **options)).shape == (500, 600, 3)


def test_white_may_be_coded_as_zeros() -> None:
    """With tables made for the picture, a run of zeros means pixels that do not change."""
    data = encoded(Image.new("RGB", (1600, 1200), "white"), "JPEG", optimize=True)
    assert bytes(64) in data
    assert (original(data) == 255).all()


ROWS = b"".join(b"\0" + bytes(range(60)) for _ in range(20))


@pytest.mark.parametrize(
    ("pixels", "spoiled", "told"),
    [
        (zlib.compress(ROWS[: 61 * 10]), b"", "found 610 bytes of pixels, expected 1,220"),
        (zlib.compress(ROWS)[:-4], b"", "its pixels end too early"),
        (zlib.compress(ROWS + b"\0"), b"", "found more than 1,220 bytes of pixels"),
        (zlib.compress(ROWS + bytes(10**8)), b"", "found more than 1,220 bytes of pixels"),
        (zlib.compress(ROWS), b"IDAT", "the checksum of its chunk IDAT at byte 56 is wrong"),
        (zlib.compress(ROWS), b"IEND", "the checksum of its chunk IEND at byte 149 is wrong"),
    ],
    ids=["fewer rows", "no checksum", "more rows", "a bomb", "wrong checksum", "wrong end"],
)
def test_png_files_that_pillow_takes(pixels: bytes, spoiled: bytes, told: str) -> None:
    with pytest.raises(KdbenchError, match=told):
        original(png(20, 20, 8, 2, pixels, spoiled=spoiled))
    assert original(png(20, 20, 8, 2, zlib.compress(ROWS))).shape == (20, 20, 3)


def test_png_without_an_end() -> None:
    with pytest.raises(KdbenchError, match="its end mark IEND is missing"):
        original(png(20, 20, 8, 2, zlib.compress(ROWS))[:-12])


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 9, 17])
def test_interlaced_png(side: int) -> None:
    """Seven passes, of which small pictures lack some; Pillow writes none, so zeros are enough here."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [(len(range(x, side, right)), len(range(y, side, down))) for x, y, right, down in passes]
    pixels = b"".join(bytes(1 + 3 * columns) * lines for columns, lines in rows if columns)
    assert (original(png(side, side, 8, 2, zlib.compress(pixels), interlaced=1)) == 0).all()
    with pytest.raises(KdbenchError, match=r"bytes of pixels, expected|truncated"):
        original(png(side, side, 8, 2, zlib.compress(pixels[:-1]), interlaced=1))


@pytest.mark.parametrize(("height", "told"), [(18, "more pixels than 30 × 18"), (22, "truncated")])
def test_a_gif_of_another_height(height: int, told: str) -> None:
    """Pillow leaves aside what is too much."""
    data = encoded(smooth(30, 20).quantize(64), "GIF")
    changed = data.replace((20).to_bytes(2, "little"), height.to_bytes(2, "little"))
    with pytest.raises(KdbenchError, match=told):
        original(changed)


def test_tiles_larger_than_a_tiff_picture() -> None:
    """Tiles are filled up to their size, which may be many times the picture's."""
    tile = smooth(256, 256)
    offset = 8
    tags = [(256, 3, 1, 10), (257, 3, 1, 12), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    grey = zlib.compress(tile.convert("L").tobytes())
    tags += [(322, 3, 1, 256), (323, 3, 1, 256), (324, 4, 1, offset), (325, 4, 1, len(grey))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", offset + len(grey))
    data = head + grey + struct.pack("<H", len(tags)) + entries + bytes(4)
    assert (original(data)[..., 0] == np.asarray(tile.convert("L"))[:12, :10]).all()
    changed = head + grey[:-1] + bytes([grey[-1] ^ 1]) + data[len(head + grey) :]
    with pytest.raises(KdbenchError, match="cannot be decoded"):
        original(changed)


def test_a_tiff_whose_table_of_tags_is_damaged() -> None:
    """The table has no checksum. Without the tag of the compression, deflated pixels would be taken for pixels as they are."""
    data = file_of(smooth(8, 8), "tiff-deflated")
    table = int.from_bytes(data[4:8], "little")
    tag = data.index(struct.pack("<HHI", 259, 3, 1), table)
    for place in range(tag, tag + 12):
        for value in (0, 1, 2, 94, 255):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            found = properties.read(changed)
            assert found is None or np.array_equal(found, original(data))
    for side in (256, 257):
        smaller = data.replace(struct.pack("<HHII", side, 3, 1, 8), struct.pack("<HHII", side, 3, 1, 7))
        with pytest.raises(KdbenchError, match=r"its strip at byte 8 has \d+ bytes of pixels, expected 168"):
            original(smaller)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "CMYK", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("rows", [None, 1, 7, 100])
def test_strips_of_a_tiff_picture(mode: str, compression: str, rows: int | None) -> None:
    """Of any number of rows, of which the last strip has fewer."""
    picture = Image.fromarray(np.full((30, 21), 30_000, np.uint16)) if mode == "I;16" else smooth(21, 30).convert(mode)
    options = {"compression": compression, "tiffinfo": {} if rows is None else {278: rows}}
    data = encoded(picture, "TIFF", **options)
    assert original(data).shape == (30, 21, 3)
    refuse_damage(data, "TIFF")


def test_zeros_before_a_restart_are_no_padding() -> None:
    properties.jpeg_agrees(smooth(40, 22, 1), "jpeg-restarts", Damage("zeroed", 0.6015625, 15, 1))
