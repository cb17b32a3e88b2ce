"""Photographs of a dataset, square and original, decoded when indexed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdbench import KdbenchError
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.photographs import Photographs
from tests.support.encoded_pictures import encoded, smooth


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


def test_originals_are_what_the_square_ones_are_made_of(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    wide = smooth(50, 34)
    path.write_bytes(encoded(wide))
    blobs = (FileBlob(path),)
    np.testing.assert_array_equal(Photographs(blobs, None)[0], np.asarray(wide))
    np.testing.assert_array_equal(Photographs(blobs, 32)[0], square(Photographs(blobs, None)[0], 32))
