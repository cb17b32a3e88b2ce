"""Where images lie: each in its own folder, and never one of two that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench_plugins.datasets.image_folders import COMPARED, ImageFolders


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def files(root: Path, filepath: str, *names: str) -> list[str]:
    return [str(path.relative_to(root)) for path in ImageFolders(root, root / "t.json").files(filepath, names)]


def test_every_image_is_looked_for(tmp_path: Path) -> None:
    """A stray copy of the first one beside the table does not decide for the others."""
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        put(tmp_path / "flickr30k-images" / name, name)
    put(tmp_path / "1.jpg", "1.jpg")
    put(tmp_path / "images" / "4.jpg", "4.jpg")
    found = files(tmp_path, "", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg")
    assert found == ["1.jpg", "flickr30k-images/2.jpg", "flickr30k-images/3.jpg", "images/4.jpg", "flickr30k-images/5.jpg"]


def test_two_that_differ(tmp_path: Path) -> None:
    """Such as thumbnails; with one size, the bytes are compared."""
    put(tmp_path / "images" / "1.jpg", "small")
    put(tmp_path / "flickr30k-images" / "1.jpg", "the original")
    with pytest.raises(KdbenchError, match=r"t.json: found two different images 1.jpg, in .*/images and in .*flickr30k-images"):
        files(tmp_path, "", "1.jpg")
    put(tmp_path / "flickr30k-images" / "1.jpg", "SMALL")
    with pytest.raises(KdbenchError, match="two different images"):
        files(tmp_path, "", "1.jpg")


def test_two_that_are_equal(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(COMPARED + 2)]
    for name in names:
        put(tmp_path / "images" / name, name)
    (tmp_path / "Images").symlink_to(tmp_path / "images")
    put(tmp_path / "val2014" / "0.jpg", "0.jpg")
    assert files(tmp_path, "", *names) == [f"images/{name}" for name in names]


def test_the_folder_that_the_table_names_goes_first(tmp_path: Path) -> None:
    put(tmp_path / "val2014" / "1.jpg", "one")
    put(tmp_path / "images" / "1.jpg", "another")
    assert files(tmp_path, "val2014", "1.jpg") == ["val2014/1.jpg"]
    put(tmp_path / "images" / "2.jpg", "elsewhere")
    assert files(tmp_path, "val2014", "2.jpg") == ["images/2.jpg"]


def test_none_at_all(tmp_path: Path) -> None:
    put(tmp_path / "images" / "1.jpg", "one")
    with pytest.raises(KdbenchError, match=r"found none of its images, such as part/2.jpg; looked in .*/images; put the image"):
        files(tmp_path, "part", "2.jpg")
    with pytest.raises(KdbenchError, match="found none of its images"):
        files(tmp_path, "", f"{'x' * 300}.jpg")
