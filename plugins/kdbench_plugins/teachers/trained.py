"""The teacher `trained`: any student, trained before the runs and cached; alone, or taught by a team of teachers.

With `teachers` it is the proxy of EUPE (Zhu et al., arXiv 2603.22387): a team teaches a large student, which then teaches small
ones alone. There the proxy of 1.9 billion parameters is taught by three vision encoders; here its size, team, objective and
strategy are the suite's.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from kdbench import Distillation, KdbenchError, Offer, Teacher, TeacherData, Towers, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.tower import frozen_towers
from kdbench_plugins.teachers.wrapped import refuse_lacking

Team = Annotated[dict[str, dict[str, Any]] | None, Uses("teacher", several=True)]
Terms = Annotated[list[dict[str, Any]] | None, Uses("objective", several=True)]


class Trained:
    """`student` is a student's spec, such as `{use: openclip, model: RN50}`.

    `teachers` are teachers by name, as in a suite; they teach it with the terms of `objective`, by default `relational_kl`,
    weighted by `strategy`, by default `equal`, and their losses by `distill` beside the task loss.
    """

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        teachers: Team = None,
        objective: Terms = None,
        strategy: Annotated[dict[str, Any] | None, Uses("strategy")] = None,
        epochs: Count = 60,
        batch_size: BatchSize = 256,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        distill: NotNegative = 1.0,
        seed: int = 0,
    ) -> None:
        self.student = student
        self.teachers = teachers or {}
        self.objective = objective or [{"use": "relational_kl"}]
        self.strategy = strategy or {"use": "equal"}
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "distill": distill,
            "seed": seed,
        }

    def towers(self, data: TeacherData) -> Towers:
        parts: list[Any] = ["trained", self.student, files_in(self.student)]
        if self.teachers:
            taught = [self.teachers, self.objective, self.strategy if len(self.teachers) > 1 else None]
            parts += [taught, files_in(taught)]
        design = json.dumps(parts, sort_keys=True)
        student = data.fit(
            design,
            partial(build, "student", self.student),
            self.recipe,
            taught_by(self.teachers, self.objective, self.strategy),
        )
        return frozen_towers(student, design)


def taught_by(
    teachers: dict[str, dict[str, Any]], objective: list[dict[str, Any]], strategy: dict[str, Any]
) -> Distillation | None:
    """A team as a training uses it, built of its specs; None without teachers."""
    if not teachers:
        return None
    return Distillation(
        {name: build("teacher", spec) for name, spec in teachers.items()},
        [(float(term.get("coefficient", 1.0)), build("objective", own(term))) for term in objective],
        build("strategy", strategy) if len(teachers) > 1 else None,
    )


def own(term: dict[str, Any]) -> dict[str, Any]:
    """The spec of an objective's term without its coefficient."""
    return {name: value for name, value in term.items() if name != "coefficient"}


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


def check(
    *,
    teachers: dict[str, dict[str, Any]] | None = None,
    objective: list[dict[str, Any]] | None = None,
    strategy: dict[str, Any] | None = None,
    **_: object,
) -> None:
    """Raises KdbenchError for an objective or a strategy of no teachers, and for a teacher that lacks a tower."""
    for name, value in (("objective", objective), ("strategy", strategy)):
        if value and not teachers:
            raise KdbenchError(f"teacher trained: found `{name}:` and no teachers; expected `teachers:` whose losses it is for")
    if strategy and len(teachers or {}) == 1:
        raise KdbenchError("teacher trained: found `strategy:` and one teacher; expected none, or two teachers to weigh")
    refuse_lacking("trained", ("image", "text"), *(teachers or {}).values())


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "trained",
            Trained,
            "any student, trained beforehand, alone or taught by a team",
            check,
            smoke=lambda params: params | {"epochs": 1},
            source="with `teachers`: the proxy of EUPE, Zhu et al., arXiv 2603.22387",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
