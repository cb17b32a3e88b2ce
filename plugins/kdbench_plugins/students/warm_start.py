"""`warm_start`: another student whose initial weights come from an earlier training, cached like a `trained` teacher."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any, cast

from kdbench import Offer, Student, TeacherData, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.wrapped import Wrapped
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.trained import files_in


class WarmStart(Wrapped):
    """`student`, trained beforehand on the train split without distillation, at its best validation epoch.

    It stands for a pre-trained model where none can be downloaded. The earlier training has its own recipe and `seed`: it is
    done once, and all runs and seeds of a suite start from the same weights. Its epochs come on top of the suite's.
    """

    name = "warm_start"

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
        super().__init__(student)
        self.spec = student
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
        }

    def prepare(self, data: TeacherData) -> None:
        """Trains the student, or takes its weights from the cache."""
        # The same words as the teacher `trained`: with the same recipe, both share a cache entry.
        design = json.dumps(["trained", self.spec, files_in(self.spec)], sort_keys=True)
        trained = data.fit(design, partial(build, "student", self.spec), self.recipe)
        cast(Any, self.module).load_state_dict(cast(Any, trained.module).state_dict())


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "warm_start",
            WarmStart,
            "another student with the weights of an earlier training without distillation, cached",
            smoke=lambda params: params | {"epochs": 1},
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
