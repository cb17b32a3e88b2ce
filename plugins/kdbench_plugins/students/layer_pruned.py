"""`layer_pruned`: the first layers of a teacher's towers as a student. PUMA (Lyu et al., ACM MM 2025, arXiv 2507.08064).

PUMA keeps the first layers of one multimodal language model and distils it from the whole; here each tower of a two-tower
model is cut by itself: a reconstruction.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import Field

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, TeacherData, Uses, build, hookimpl
from kdbench_plugins.checked_once import check_once
from kdbench_plugins.openclip import hushed, import_open_clip
from kdbench_plugins.students.clip_build import attempt, named_config
from kdbench_plugins.students.clip_config import checked_config
from kdbench_plugins.students.first_layers import Side, keep_first
from kdbench_plugins.students.teacher_model import student_of

PLUGIN = "student layer_pruned"
PARTS: dict[Side, str] = {"image": "vision_cfg", "text": "text_cfg"}
Layers = Annotated[int, Field(ge=1)]


class LayerPruned:
    """An open_clip model with the first `image` and `text` layers of a teacher's towers, by default all.

    `teacher` is a teacher's spec: `{use: openclip, model: …, pretrained: …}` for published weights or a checkpoint, or
    `{use: trained, student: {use: openclip, …}}` for a teacher that is trained on the suite's data, under the same entry of the
    cache as where it teaches. Embeddings of tokens and pixels, the norm after the last layer, projections and the logit scale
    are kept, too, all with the teacher's weights. A student with all layers is the teacher itself. Towers are transformers of
    open_clip or of timm; an export to open_clip needs those of open_clip where layers are left out.
    """

    def __init__(
        self, *, teacher: Annotated[dict[str, Any], Uses("teacher")], image: Layers | None = None, text: Layers | None = None
    ) -> None:
        self.student: Any = build("student", student_of(PLUGIN, teacher))
        self.trained = teacher if teacher["use"] == "trained" else None
        self.timm: list[Side] = []  # towers that open_clip's config cannot describe
        for side, count in _counts(image, text).items():
            if keep_first(PLUGIN, self.student.module.clip, side, count):
                self.student.config[PARTS[side]]["layers"] = count
            else:
                self.timm.append(side)
        self.width: int = self.student.width
        self.images: Encoder = self.student.images
        self.texts: Encoder = self.student.texts
        self.module: StudentModule = self.student.module

    def prepare(self, data: TeacherData) -> None:
        """Takes the weights of a teacher that is trained on the data."""
        if self.trained is None:
            return
        tower: Any = build("teacher", self.trained).towers(data).image
        whole, module = tower.module.state_dict(), cast(Any, self.module)
        module.load_state_dict({name: whole[name] for name in module.state_dict()})

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The config with fewer layers, and the model. Raises KdbenchError if a tower of timm was cut."""
        if self.timm:
            raise KdbenchError(
                f"{PLUGIN}: found an {self.timm[0]} tower of timm with fewer layers; expected one of open_clip's own, whose "
                "config can say how many. Export it with --to onnx"
            )
        config, clip = self.student.open_clip()
        return config, clip


def _counts(image: int | None, text: int | None) -> dict[Side, int]:
    """The towers that are cut, with their layers."""
    given: dict[Side, int | None] = {"image": image, "text": text}
    return {side: count for side, count in given.items() if count is not None}


def check(*, teacher: dict[str, Any], image: int | None = None, text: int | None = None) -> None:
    """Raises KdbenchError for a teacher without an open_clip model, or with fewer layers. Loads no weights."""
    student = student_of(PLUGIN, teacher)
    check_once(lambda: _check(student, image, text), PLUGIN, student, image, text)


def _check(student: dict[str, Any], image: int | None, text: int | None) -> None:
    """Cuts a model without weights, on torch's meta device. Those of a hub or a folder are left to the building."""
    import torch

    if ":" in str(student.get("model") or ""):
        return
    model = import_open_clip().model
    named = student.get("model")
    config = named_config(named) if named else checked_config(student["config"])
    if config["text_cfg"].get("hf_model_name") or ":" in str(config["vision_cfg"].get("timm_model_name") or ""):
        return
    if config["vision_cfg"].get("timm_model_name"):
        config["vision_cfg"]["timm_model_pretrained"] = False
    make = model.CustomTextCLIP if config.pop("custom_text", False) else model.CLIP
    with hushed(), torch.device("meta"):
        clip = attempt("a model of this config", lambda: make(**config))
    for side, count in _counts(image, text).items():
        keep_first(PLUGIN, clip, side, count)


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """One layer of each tower that is cut: the smallest teachers have no more."""
    return params | {side: 1 for side in PARTS if params[side] is not None}


EXAMPLE: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 48, "patch_size": 8, "width": 128, "head_width": 32, "layers": 4},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 4},
}


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "layer_pruned",
            LayerPruned,
            "the first layers of a teacher's towers, with its weights (PUMA)",
            check,
            formula="f_k = head ∘ block_k ∘ … ∘ block_1 ∘ embed of a teacher's tower f_L, k ≤ L",
            latex=(
                r"f_k = \mathrm{head} \circ \mathrm{block}_k \circ \dots \circ \mathrm{block}_1 \circ \mathrm{embed} "
                r"\text{ of a teacher's tower } f_L, \quad k \le L"
            ),
            source="PUMA, Lyu et al., ACM MM 2025, arXiv 2507.08064",
            status="reconstruction",
            example={
                "teacher": {"use": "trained", "student": {"use": "openclip", "config": EXAMPLE}},
                "image": 2,
                "text": 2,
            },
            smoke=smoke,
        )
    ]
