"""The miniature of class folders: groups of emoji."""

from __future__ import annotations

from pathlib import Path

from kdbench_plugins.datasets.class_folders import ClassFolders
from kdbench_plugins.datasets.class_miniature import CLASSES, EACH, write_classes
from kdbench_plugins.datasets.emoji_concepts import concepts


def test_classes_are_groups_of_the_test_split_the_same_each_time(tmp_path: Path) -> None:
    for copy in ("one", "other"):
        write_classes(tmp_path / copy)
    files = [
        sorted(path.relative_to(tmp_path / copy) for path in (tmp_path / copy).rglob("*.png")) for copy in ("one", "other")
    ]
    assert files[0] == files[1]
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files[0])
    split = ClassFolders(root=tmp_path / "one", templates=["{}"]).split("test")
    assert len(split.captions) == CLASSES
    assert len(split.images) == CLASSES * EACH
    assert set(split.captions) <= {concept.group for concept in concepts() if concept.split == "test"}
