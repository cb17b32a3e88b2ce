"""`merged`: students of single teachers, each trained alone from the same weights, merged into one."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from kdbench import Distillation, KdbenchError, Offer, Student, TeacherData, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.wrapped import Wrapped
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.trained import files_in
from kdbench_plugins.teachers.wrapped import lacking

Method = Literal["mean", "task_arithmetic", "ties"]
Teachers = Annotated[dict[str, dict[str, Any]], Uses("teacher", several=True)]
Terms = Annotated[list[dict[str, Any]], Uses("objective", several=True), Field(min_length=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class Merged(Wrapped):
    """One copy of `student` for each of `teachers`, which teaches it alone with the terms of `objective`; merged by `method`.

    All copies start from the same weights θ₀ and have the run's seed; θ_t is what teacher t has made of them. `mean`: θ₀ +
    mean(θ_t − θ₀). `task_arithmetic`: θ₀ + scale·Σ (θ_t − θ₀). `ties`: θ₀ + scale·τ, τ the mean over those entries of the
    θ_t − θ₀ that agree with the sign of their sum, after all but the share `keep` of largest magnitude of each is trimmed.
    `scale` is by default 0.3 for `task_arithmetic`, else 1. Additions of `l_lora` are merged as what they add to the weights.

    The copies are trained before the run and cached, those of all methods once. Their budget is `epochs` for each teacher: T
    teachers cost T times as much as a distillation from all at once for as many epochs. The run itself trains the logit scale
    alone, on which no rank depends: a suite gives it one epoch and no team.
    """

    name = "merged"

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        teachers: Teachers,
        objective: Terms = [{"use": "relational_kl"}],  # noqa: B006
        method: Method = "mean",
        scale: Positive | None = None,
        keep: Fraction = 0.2,
        epochs: Count = 30,
        batch_size: BatchSize = 256,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        distill: NotNegative = 1.0,
    ) -> None:
        import torch

        super().__init__(student)
        self.spec, self.teachers, self.objective = student, teachers, objective
        self.method, self.scale, self.keep = method, scale, keep
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "distill": distill,
            "seed": int(torch.randint(2**31, ())),  # follows from the run's
        }

    def prepare(self, data: TeacherData) -> None:
        """Merges the copies, trained in this call or before, and freezes all but the logit scale."""
        import torch

        from kdbench_plugins.students.low_rank import freeze
        from kdbench_plugins.students.merging import SCALES, merged

        torch.manual_seed(self.recipe["seed"])
        first: Any = build("student", self.spec)
        if hasattr(first, "prepare"):
            first.prepare(data)
        start = first.module.state_dict()
        names = [name for name, value in first.module.named_parameters() if value.requires_grad and value.dim()]
        ends = [self._taught(data, name).state_dict() for name in self.teachers]
        found = [{name: value.to("cpu") for name, value in end.items()} for end in ends]
        scale = SCALES[self.method] if self.scale is None else self.scale
        module: Any = self.module
        module.load_state_dict(merged(start, found, names, self.method, scale, self.keep))
        freeze(module)

    def _taught(self, data: TeacherData, name: str) -> Any:
        """The module of the copy that a teacher has taught."""
        spec = self.teachers[name]
        parts = [self.spec, spec, self.objective]
        design = json.dumps(["merged", *parts, files_in(parts)], sort_keys=True)
        terms = [(float(term.get("coefficient", 1.0)), build("objective", _own(term))) for term in self.objective]
        distillation = Distillation({name: build("teacher", spec)}, terms)
        return data.fit(design, partial(build, "student", self.spec), self.recipe, distillation).module


def _own(term: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in term.items() if name != "coefficient"}


def check(*, teachers: dict[str, dict[str, Any]], method: str, scale: float | None, **_: object) -> None:
    """Raises KdbenchError for fewer than two teachers, for one that lacks a tower, and for a scale that has no effect."""
    if len(teachers) < 2:
        raise KdbenchError(f"student merged: teachers: found {len(teachers)}; expected two or more, each with a copy to merge")
    if method == "mean" and scale is not None:
        raise KdbenchError(
            f"student merged: scale: found {scale} with `method: mean`; expected none, or `task_arithmetic` or `ties`"
        )
    for name, teacher in teachers.items():
        if lacks := lacking(teacher):
            raise KdbenchError(
                f"student merged: teachers.{name}: found a teacher without {lacks} tower; expected one with both"
            )


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "merged",
            Merged,
            "students of single teachers, merged into one by their mean, task arithmetic or TIES",
            check,
            formula="θ₀ + scale·merge_t(θ_t − θ₀), mean, sum or TIES",
            latex=r"\theta_0 + \mathrm{scale} \cdot \mathrm{merge}_t(\theta_t - \theta_0), \; \text{mean, sum or TIES}",
            source="task arithmetic, Ilharco et al., ICLR 2023; TIES, Yadav et al., NeurIPS 2023",
            status="published",
            example={
                "student": {"use": "l_lora", "student": {"use": "openclip", "config": SMALL}},
                "teachers": {
                    "lite0": {"use": "backbones", "image": "efficientnet_lite0"},
                    "lite2": {"use": "backbones", "image": "efficientnet_lite2"},
                },
            },
            smoke=lambda params: params | {"epochs": 1},
        )
    ]
