"""A teacher ranked as it is: a row of its own beside the students that learn from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdbench.contracts import SplitName, Teacher
from kdbench.data.dataset import CachedDataset
from kdbench.errors import Diverged
from kdbench.training.teacher_data import DatasetLesson
from kdbench.plugins.building import build_planned
from kdbench.tasks.retrieval.ranks import Ranks


def rank_teacher(spec: dict[str, Any], dataset: CachedDataset, split: SplitName = "test") -> Ranks:
    """Ranks of a teacher's embeddings of a split; `spec` is a plugin as plans have it.

    The teacher prepares itself on a lesson as always, where it cannot reach the test split; it is the spine that shows it.
    """
    teacher: Teacher = build_planned("teacher", spec)
    towers = teacher.towers(DatasetLesson(dataset))
    image, text = (np.asarray(dataset.encode(tower, split), dtype=np.float32) for tower in (towers.image, towers.text))
    if not (np.isfinite(image).all() and np.isfinite(text).all()):
        raise Diverged(f"the embeddings of {spec['name']} are not finite")
    seen = dataset.split(split)
    return Ranks.of(image, text, seen.image_concepts, seen.caption_concepts)
