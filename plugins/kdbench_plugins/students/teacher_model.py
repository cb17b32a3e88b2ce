"""The open_clip model of a teacher, as the student that has its weights or is trained to have them."""

from __future__ import annotations

from typing import Any

from kdbench import nearest
from kdbench.errors import ParameterError

TEACHERS = ("openclip", "trained")


def student_of(plugin: str, teacher: dict[str, Any]) -> dict[str, Any]:
    """The spec of the student `openclip` that is the model of a teacher's spec.

    For the teacher `openclip` it has the weights; for `trained`, a student of open_clip, they come from its training. Raises
    ParameterError, for the parameter `teacher` of `plugin`, for any other teacher.
    """
    use = teacher.get("use")
    if use == "openclip":
        return {"use": "openclip", "model": teacher["model"], "pretrained": teacher.get("pretrained") or None}
    if use != "trained":
        expected = "a teacher that is one open_clip model: openclip, or trained with the student openclip"
        raise ParameterError.at(plugin, ("teacher", "use"), use, expected, nearest(str(use), TEACHERS))
    student: dict[str, Any] = teacher["student"]
    if student.get("use") != "openclip":
        raise ParameterError.at(plugin, ("teacher", "student", "use"), student.get("use"), "the student openclip")
    return student
