"""The teacher `trained`: any student, trained without distillation before the runs and cached."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from kdbench import Offer, Teacher, TeacherData, Towers, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.tower import frozen_towers


class Trained:
    """`student` is a student's spec, such as `{use: openclip, model: RN50}`."""

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        epochs: Count = 60,
        batch_size: BatchSize = 256,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        seed: int = 0,
    ) -> None:
        self.student = student
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
        }

    def towers(self, data: TeacherData) -> Towers:
        design = json.dumps(["trained", self.student, files_in(self.student)], sort_keys=True)
        student = data.fit(design, partial(build, "student", self.student), self.recipe)
        return frozen_towers(student, design)


def files_in(spec: Any) -> list[str]:
    """sha256 of every file that a spec names: other initial weights under the same path make another student."""
    if isinstance(spec, dict):
        return [digest for _, value in sorted(spec.items()) for digest in files_in(value)]
    if isinstance(spec, list):
        return [digest for value in spec for digest in files_in(value)]
    if not isinstance(spec, str) or not Path(spec).is_file():
        return []
    with Path(spec).open("rb") as stream:
        return [hashlib.file_digest(stream, "sha256").hexdigest()]


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "trained",
            Trained,
            "any student, trained beforehand without distillation",
            smoke=lambda params: params | {"epochs": 1},
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
