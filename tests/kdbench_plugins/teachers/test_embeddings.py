"""The teacher `embeddings`: rows of files come to the items of their ids, whatever the order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench import KdbenchError, NoTower, Split
from kdbench.data.dataset import CachedDataset
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teachers import rank_teacher, teach
from kdbench.testing import conform
from kdbench.testing.retrieval.shapes_dataset import SPLITS, Shapes
from kdbench_plugins.teachers.embeddings import Embeddings, check, kdbench_teachers, reads
from kdbench_plugins.teachers.vectors import ids_beside
from tests.support.toys import cached

WIDTH = 48


def one_hot_rows(ids: list[str], concepts: NDArray[np.int64]) -> NDArray[np.float32]:
    """A vector that tells the concept and, by a little of another, the id; not normalised."""
    rows = np.eye(WIDTH, dtype=np.float32)[concepts] * 3
    rows[np.arange(len(ids)), (concepts + 1 + np.arange(len(ids)) % 7) % WIDTH] += 0.5
    return rows


def write(folder: Path, leave_out: str = "") -> tuple[Path, Path, dict[str, NDArray[np.float32]]]:
    """Vectors of all splits, backwards, with one of another dataset before them."""
    known: dict[str, NDArray[np.float32]] = {}
    paths = []
    for name in ("image", "caption"):
        for split in map(Shapes().split, SPLITS):
            ids, concepts = list(getattr(split, f"{name}_ids")), getattr(split, f"{name}_concepts")
            known |= dict(zip(ids, one_hot_rows(ids, concepts), strict=True))
        mine = ["elsewhere", *(one for one in reversed(known) if ("#" in one) == (name == "caption") and one != leave_out)]
        path = folder / f"{name}s.npy"
        np.save(path, np.stack([known.get(one, np.ones(WIDTH, np.float32)) for one in mine]))
        ids_beside(path).write_text("\n".join(mine), encoding="utf-8")
        paths.append(path)
    return paths[0], paths[1], known


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_rows_come_to_the_items_of_their_ids(tmp_path: Path) -> None:
    images, captions, known = write(tmp_path)
    data, teacher = cached(tmp_path, Shapes()), Embeddings(images=images, captions=captions, logit_scale=20.0)
    stored, split = teach(data, teacher, Retrieval()), Shapes().split("train")
    np.testing.assert_allclose(stored.image, unit(np.stack([known[one] for one in split.image_ids])), atol=1e-3)
    np.testing.assert_allclose(stored.text, unit(np.stack([known[one] for one in split.caption_ids])), atol=1e-3)
    assert stored.logit_scale == 20.0
    ranks = rank_teacher(data, teacher, "test", Retrieval())
    for found in ranks.arrays.values():
        assert set(found.tolist()) == {1}  # concepts are told apart


def test_a_tower_without_a_file_is_missing(tmp_path: Path) -> None:
    images, _, _ = write(tmp_path)
    teacher = Embeddings(images=images)
    assert teacher.lacks == "text"
    assert isinstance(teacher.towers(cached(tmp_path, Shapes())).text, NoTower)  # type: ignore[arg-type]
    stored = teach(cached(tmp_path, Shapes()), teacher, Retrieval())
    assert (stored.image.shape[1], stored.text.shape[1]) == (WIDTH, 0)
    assert Embeddings(captions=images).lacks == "image"
    assert (teacher.plain, Embeddings(captions=images).plain) == (True, False)  # captions have no views
    assert Embeddings(images=images, miniature=True).lacks == "text"
    assert Embeddings(miniature=True).lacks is None


def test_ids_of_the_train_split_without_vectors_are_refused(tmp_path: Path) -> None:
    gone = str(Shapes().split("train").caption_ids[3])
    images, captions, _ = write(tmp_path, leave_out=gone)
    with pytest.raises(KdbenchError, match=rf"no vectors of 1 of 48 captions of the train split, such as '{gone}'"):
        teach(cached(tmp_path, Shapes()), Embeddings(images=images, captions=captions), Retrieval())


def test_widths_that_differ_are_refused(tmp_path: Path) -> None:
    images, captions, _ = write(tmp_path)
    np.save(images, np.load(images)[:, :20])
    with pytest.raises(KdbenchError, match=r"found vectors of widths 20 .* and 48"):
        teach(cached(tmp_path, Shapes()), Embeddings(images=images, captions=captions), Retrieval())


class Renamed(Shapes):
    """The same pixels and captions, under other ids: `names` maps ids to new ones."""

    def __init__(self, names: dict[str, str] | None) -> None:
        self.names = names

    def split(self, name: Any) -> Split:
        split = super().split(name)
        ids = () if self.names is None else [self.names.get(one, one) for one in split.image_ids]
        return Split(split.images, split.captions, split.image_concepts, split.caption_concepts, image_ids=ids)


def train_images(data: CachedDataset, images: Path) -> NDArray[Any]:
    return np.array(teach(data, Embeddings(images=images), Retrieval()).image)


def test_what_is_cached_follows_the_ids_and_the_file(tmp_path: Path) -> None:
    images, _, _ = write(tmp_path)
    first, second = Shapes().split("train").image_ids[:2]
    before = train_images(cached(tmp_path, Shapes()), images)
    swapped = train_images(cached(tmp_path, Renamed({first: second, second: first})), images)
    np.testing.assert_array_equal(swapped[[1, 0]], before[:2])
    np.save(images, np.load(images)[:, ::-1])
    np.testing.assert_array_equal(train_images(cached(tmp_path, Shapes()), images), before[:, ::-1])


def test_a_dataset_without_ids_is_refused(tmp_path: Path) -> None:
    images, _, _ = write(tmp_path)
    with pytest.raises(KdbenchError, match=r"the train split: found no ids of images; expected .* Split\.image_ids"):
        train_images(cached(tmp_path, Renamed(None)), images)


def test_embeddings_of_augmented_views_are_refused(tmp_path: Path) -> None:
    images, _, _ = write(tmp_path)
    with pytest.raises(KdbenchError, match=r"train\.views\.teachers: found 'same' .* expected 'clean'"):
        train_images(cached(tmp_path, Shapes()).viewed(Views(count=2)), images)
    clean = train_images(cached(tmp_path, Shapes()).viewed(Views(count=2, teachers="clean")), images)
    np.testing.assert_array_equal(clean, train_images(cached(tmp_path, Shapes()), images))


def test_conform(tmp_path: Path) -> None:
    (offer,) = kdbench_teachers()
    images, captions, _ = write(tmp_path)
    for params in ({"miniature": True}, {"images": str(images), "captions": str(captions)}, {"captions": str(captions)}):
        assert [finding for finding in conform(offer, "teacher", params) if finding.outcome != "holds"] == []


def test_check_and_reads(tmp_path: Path) -> None:
    images, captions, _ = write(tmp_path)
    check(images=images, captions=None, miniature=False)
    check(images=None, captions=None, miniature=True)
    with pytest.raises(KdbenchError, match="found neither images nor captions"):
        check(images=None, captions=None, miniature=False)
    with pytest.raises(KdbenchError, match=r"gone\.npy: found no such file"):
        check(images=tmp_path / "gone.npy", captions=None, miniature=False)
    assert reads(images=None, captions=captions, miniature=False) == [captions, ids_beside(captions)]
