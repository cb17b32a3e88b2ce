"""The teacher `pmf` (PMF): a dual-stream teacher, fused with two frozen towers that ask each other by prompts.

PMF (Li et al., CVPR 2023, arXiv 2304.06306) is published with code for classification: in each of the last layers of two frozen
transformers, outputs at query prompts beside query context prompts, mapped by a small network, join fusion context prompts in
the other transformer's layer. That part is as published, with all prompts trained (in the public code, those of the fusion
context stay frozen by a mistyped name). That its class features are added to a dual-stream teacher's embeddings, as MCAD's are
in the teacher `fused`, and that prompts see past the causal mask of a text tower, is a reconstruction.

Of N layers, q + c + f prompts, bottleneck m and towers of widths w and w', trained are N·[(q + c + f + 2m + 1)(w + w') + 2m]
parameters of prompts and maps, and (w + w')(2d + 1) + 1 of the fusion. The pair leaks, and the teacher warns, as `fused` does.
"""

from __future__ import annotations

from typing import Annotated, Any

from kdbench import Encoder, KdbenchError, Offer, Student, Teacher, TeacherData, Towers, Uses, build, hookimpl
from kdbench_plugins.students.clip_build import named_config
from kdbench_plugins.students.layer_pruned import EXAMPLE
from kdbench_plugins.students.teacher_model import student_of
from kdbench_plugins.teachers.fusing import fused
from kdbench_plugins.teachers.hidden_states import HiddenStates
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking

PLUGIN = "teacher pmf"


class PMF(Wrapped):
    """Prompts in the last `layers` of the towers of `teacher`: `query`, `context` and `fusion` of each kind in every layer.

    `teacher` is an open_clip model with transformer towers, `{use: openclip, …}` or `{use: trained, student: {use: openclip,
    …}}`. `dual` is the dual-stream teacher whose embeddings are fused and that is evaluated as the teacher itself, by default
    `teacher`. `bottleneck` is the width of the maps between towers, by default half of the wider tower's.
    """

    def __init__(
        self,
        *,
        teacher: Annotated[dict[str, Any], Uses("teacher")],
        dual: Annotated[dict[str, Any] | None, Uses("teacher")] = None,
        layers: Count = 2,
        query: Count = 4,
        context: Count = 4,
        fusion: Count = 4,
        bottleneck: Count | None = None,
        epochs: Count = 20,
        batch_size: BatchSize = 128,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(dual or teacher)
        self.prompted = teacher
        self.layers, self.counts, self.bottleneck = layers, (query, context, fusion), bottleneck
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
            "every": epochs,  # as in `fused`: ranking does not have both of a pair, and the last epoch is kept
        }

    def towers(self, data: TeacherData) -> Towers:
        module, *readers = self._model(data)

        def prompted_towers(*_: int) -> Any:
            from kdbench_plugins.teachers.prompted_layers import PromptedTowers

            return PromptedTowers(module.clip, self.layers, self.counts, self.bottleneck)

        images, texts = (HiddenStates(module, reader, self.layers) for reader in readers)
        design = [self.layers, self.counts, self.bottleneck]
        return fused("pmf", data, self.inner(data), (images, texts), prompted_towers, design, self.recipe)

    def _model(self, data: TeacherData) -> tuple[Any, Encoder, Encoder]:
        """The open_clip model of the teacher as a student's module, and what its towers read."""
        if self.prompted["use"] == "trained":
            trained: Any = build("teacher", self.prompted).towers(data)
            return trained.image.module, trained.image.base, trained.text.base
        student: Student = build("student", student_of(PLUGIN, self.prompted))
        return student.module, student.images, student.texts


def check(*, teacher: dict[str, Any], dual: dict[str, Any] | None, layers: int, **_: object) -> None:
    """Raises KdbenchError for a teacher that is no open_clip model with as many transformer layers, or lacks a tower."""
    refuse_lacking("pmf", ("image", "text"), dual or teacher)
    student = student_of(PLUGIN, teacher)
    named = student.get("model")
    if ":" in str(named):  # of a hub or a folder: left to the preparation
        return
    config = named_config(named) if named else student["config"].get("model_cfg", student["config"])
    for part in ("vision_cfg", "text_cfg"):
        own = config.get(part, {})
        other = own.get("timm_model_name") or own.get("hf_model_name") or ("embed_cls" if own.get("embed_cls") else None)
        found = other or own.get("layers", 12)
        if not isinstance(found, int) or found < layers:
            raise KdbenchError(
                f"{PLUGIN}: found {found!r} as layers of {part}; expected {layers} or more of open_clip's own transformers"
            )


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "pmf",
            PMF,
            "a dual-stream teacher fused with frozen towers that ask each other by prompts (PMF)",
            check,
            formula="v̂ = norm(v + P_v h), û = norm(u + P_u h), h = [block(x ‖ prompts ‖ t(y)), block(y ‖ prompts ‖ t(x))]",
            latex=(
                r"\hat v = \mathrm{norm}(v + P_v h), \quad \hat u = \mathrm{norm}(u + P_u h), \quad "
                r"h = [\mathrm{block}(x \| \text{prompts} \| t(y)), \mathrm{block}(y \| \text{prompts} \| t(x))]"
            ),
            source="PMF, Li et al., CVPR 2023, arXiv 2304.06306; MCAD, Lei et al., arXiv 2310.19654",
            status="reconstruction",
            example={"teacher": {"use": "trained", "student": {"use": "openclip", "config": EXAMPLE}}},
            smoke=lambda params: params | {"epochs": 1, "layers": 1},
        )
    ]
