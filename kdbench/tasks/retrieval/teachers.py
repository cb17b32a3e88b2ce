"""A teacher's embeddings: of the train split, stored for distillation, and of any split, for evaluating the teacher itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Encoder, NoTower, SplitName, Task, Teacher, Towers
from kdbench.contracts.encoder import reads_originals, root_of
from kdbench.contracts.values import Owned
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning, PluginError
from kdbench.plugins.internals import exposing_teacher
from kdbench.storage.digest import digest_of
from kdbench.tasks.retrieval.borders import UnitRows, checked_towers
from kdbench.tasks.retrieval.cut_captions import warn_of_cuts
from kdbench.tasks.retrieval.exposed import exposable
from kdbench.tasks.retrieval.live import live
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData


def teach(data: CachedDataset, teacher: Teacher, task: Task) -> Owned:
    """A teacher's `StoredEmbeddings` of the train split, computed or loaded from the cache, or `LiveEmbeddings`."""
    towers = _towers(data, teacher, "train", task)
    stored = _stored(data, towers)
    if towers.live is not None:
        return live(data, stored, towers.live)
    exposing = exposing_teacher(teacher)
    return stored if exposing is None else exposable(data, stored, exposing, towers)


def _stored(data: CachedDataset, towers: Towers) -> StoredEmbeddings:
    image, text = _embeddings(data, towers, "train", exact=False)
    shown = (data.view_images, data.view_captions) if data.views is not None and data.views.teachers == "same" else (None, None)
    if shown[0] is not None and not isinstance(towers.image, NoTower):
        _warn_of_small_views(data, towers.image)
    viewed, worded = (
        None
        if views is None or isinstance(encoder, NoTower)
        else data.encode(encoder, "train", UnitRows(encoder, plain.shape[1]), views=views)
        for encoder, plain, views in zip((towers.image, towers.text), (image, text), shown, strict=True)
    )
    split = data.split("train")
    return StoredEmbeddings(
        image=image,
        text=text,
        logit_scale=float(towers.logit_scale),
        image_concepts=split.image_concepts,
        caption_concepts=split.caption_concepts,
        views=viewed,
        text_views=worded,
        key=digest_of([towers.image.key, towers.text.key, float(towers.logit_scale)]),
    )


def _warn_of_small_views(data: CachedDataset, encoder: Encoder) -> None:
    """Warns if views, made of images of the dataset's size, replace original pictures that the encoder resizes to more."""
    side, size = getattr(root_of(encoder), "side", 0), data.source.size
    if side > size and reads_originals(encoder) and data.originals_digest("train") is not None:
        warnings.warn(
            f"train.views: a teacher that reads pictures of {side} pixels sees views of {size}, the dataset's size; a "
            f"`size` of {side} or more in the suite's dataset shows it as much as the original pictures do",
            KdbenchWarning,
            stacklevel=3,
        )


def rank_teacher(
    data: CachedDataset,
    teacher: Teacher,
    split: SplitName,
    task: Task,
    positives: bool = False,
    prepared: CachedDataset | None = None,
) -> Ranks:
    """Retrieval ranks by a teacher's own embeddings; with `positives` also those of all positives.

    Raises as `own_embeddings`.
    """
    image, text = own_embeddings(data, teacher, split, task, prepared)
    seen = data.split(split)
    return Ranks.of(image, text, seen.image_concepts, seen.caption_concepts, positives)


def own_embeddings(
    data: CachedDataset, teacher: Teacher, split: SplitName, task: Task, prepared: CachedDataset | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A teacher's own embeddings of the images [N, d] and captions [M, d] of a split.

    The teacher is prepared on training data as for distillation, those of `prepared` if given, without access to the test
    split. Raises PluginError if its embeddings are not finite, or if it lacks a tower.
    """
    # float16 moves a few ranks. Picture files are ranked in float32, as by other libraries; a dataset without files is ranked
    # as it is stored for distillation, which is how figures were published.
    exact = data.originals_digest(split) is not None
    image, text = _embeddings(data, _towers(data, teacher, split, task, prepared), split, exact)
    image, text = (np.asarray(values, dtype=np.float32) for values in (image, text))
    if 0 in (image.shape[1], text.shape[1]):
        raise PluginError("the teacher itself cannot be evaluated: found one tower; expected an image and a text tower")
    return image, text


def _towers(
    data: CachedDataset, teacher: Teacher, split: SplitName, task: Task, prepared: CachedDataset | None = None
) -> Towers:
    """The towers of a teacher, which has seen training data, of `prepared` if given, without views."""
    towers = checked_towers(teacher.towers(DatasetTeacherData(task, (prepared or data).viewed(None))), teacher)
    warn_of_cuts(data, towers.text, split)
    return towers


def _embeddings(data: CachedDataset, towers: Towers, split: SplitName, exact: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Embeddings of images and captions of a split, [N, 0] of a tower that is missing.

    Raises PluginError if they are no unit vectors of one width.

    The first rows are checked as soon as they are computed, those of a cache entry when it is read.
    """
    width: int | None = None
    found = []
    for encoder in (towers.image, towers.text):
        if isinstance(encoder, NoTower):
            seen = data.split(split)
            rows = len(seen.image_concepts if encoder.modality == "image" else seen.caption_concepts)
            found.append(np.zeros((rows, 0), np.float16))
            continue
        check = UnitRows(encoder, width)
        found.append(data.encode(encoder, split, check, exact))
        width = check.width_of(found[-1][: UnitRows.ROWS])
    return found[0], found[1]
