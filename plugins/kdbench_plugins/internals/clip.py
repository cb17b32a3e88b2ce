"""Internals of open_clip models: of the students whose module is one, and of the teachers `openclip` and `trained`."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kdbench import Encoder, ExposingTeacher, KdbenchError, Student, StudentModule, Taps, Towers, build, hookimpl
from kdbench_plugins.openclip import brief


@dataclass
class FrozenModel:
    """A teacher's model as a student, which it is never trained as."""

    width: int
    images: Encoder
    texts: Encoder
    module: StudentModule


class OfTrained:
    """A teacher `trained`: what the student exposes that it trains."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    @cached_property
    def exposes(self) -> Collection[str]:
        from kdbench.plugins.internals import taps_of

        try:
            return frozenset(taps_of(build("student", self.teacher.student)))
        except Exception:  # any exception of the student's plugin: left to its own check
            return frozenset()

    def exposed(self, towers: Towers) -> Student:
        image: Any = towers.image
        text: Any = towers.text
        return FrozenModel(0, image.base, text.base, image.module)


class OfOpenClip:
    """A teacher `openclip`: its model in float32, which reads the same pixels and tokens."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    @cached_property
    def exposes(self) -> Collection[str]:
        """Of a model without weights, which is built on torch's meta device."""
        import torch

        from kdbench_plugins.internals.clip_taps import clip_taps
        from kdbench_plugins.openclip import hushed, import_open_clip

        try:
            with hushed(), torch.device("meta"):
                clip = import_open_clip().create_model(self.teacher.model, device="meta", load_weights=False)
        except Exception as error:  # open_clip, timm and torch raise many types
            raise KdbenchError(f"teacher openclip: {self.teacher.model!r} could not be built ({brief(error)})") from error
        return frozenset(clip_taps(clip))

    def exposed(self, towers: Towers) -> Student:
        from kdbench_plugins.openclip import import_open_clip
        from kdbench_plugins.students.clip_module import ClipModule
        from kdbench_plugins.students.readers import Resized, Tokens

        image: Any = towers.image
        text: Any = towers.text
        clip = image.clip if self.teacher.precision == "fp32" else deepcopy(image.clip).float()
        read = import_open_clip().get_model_preprocess_cfg(clip)
        size = read["size"]
        height, width = (size, size) if isinstance(size, int) else size
        pixels = Resized(height, width, read["interpolation"], read["resize_mode"], read["fill_color"])
        return FrozenModel(0, pixels, Tokens(text.tokenizer), ClipModule(clip, read["mean"], read["std"]))


@hookimpl
def kdbench_taps(student: Any) -> Taps | None:
    from kdbench_plugins.students.clip_module import ClipModule

    if type(getattr(student, "module", None)) is not ClipModule:
        return None
    from kdbench_plugins.internals.clip_taps import clip_taps

    return clip_taps(student.module.clip)


@hookimpl
def kdbench_exposing_teacher(teacher: Any) -> ExposingTeacher | None:
    from kdbench_plugins.teachers.openclip import OpenClip
    from kdbench_plugins.teachers.trained import Trained

    if isinstance(teacher, Trained):
        return OfTrained(teacher)
    return OfOpenClip(teacher) if isinstance(teacher, OpenClip) else None
