"""A picture file that is no dataset's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.data.picture_file import read_picture_file, square


def test_transparency_is_white_and_grey_is_rgb(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (3, 2), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 255, 255))
    clear.save(tmp_path / "clear.png")
    found = read_picture_file(tmp_path / "clear.png")
    assert found.shape == (2, 3, 3)
    assert found.dtype == np.uint8
    assert found[0, 0].tolist() == [0, 0, 255]
    assert found[1, 1].tolist() == [255, 255, 255]
    Image.new("L", (2, 2), 77).save(tmp_path / "grey.png")
    assert (read_picture_file(tmp_path / "grey.png") == 77).all()


def test_a_picture_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    Image.new("RGB", (4, 2)).save(tmp_path / "turned.png", exif=exif)
    assert read_picture_file(tmp_path / "turned.png").shape == (4, 2, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut short"])
def test_what_is_no_picture_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(content)
    with pytest.raises(KdbenchError, match=r"odd\.png: cannot be decoded"):
        read_picture_file(path)
    with pytest.raises(KdbenchError, match="no such file"):
        read_picture_file(tmp_path)


def test_the_middle_of_a_picture_is_kept() -> None:
    picture = np.zeros((4, 8, 3), dtype=np.uint8)
    picture[:, 2:6] = 200
    assert square(picture, 4).min() == 200
