"""What a student that changes another one takes over from it."""

from __future__ import annotations

from typing import Any

from kdbench import Encoder, KdbenchError, Student, StudentModule, TeacherData, build


class Wrapped:
    """Base of students around another one, whose width, encoders, module and exports are theirs."""

    name: str  # in a suite

    def __init__(self, student: dict[str, Any]) -> None:
        self.student: Student = build("student", student)
        self.width = self.student.width
        self.images: Encoder = self.student.images
        self.texts: Encoder = self.student.texts
        self.module: StudentModule = self.student.module

    def prepare(self, data: TeacherData) -> None:
        """Prepares the inner student."""
        prepare = getattr(self.student, "prepare", None)
        if prepare is not None:
            prepare(data)

    def ready(self) -> bool:
        """The inner student's own; true if it has none."""
        ready = getattr(self.student, "ready", None)
        return ready is None or bool(ready())

    def finalize(self) -> StudentModule:
        """The inner student's own."""
        finalize = getattr(self.student, "finalize", None)
        module: StudentModule = finalize() if finalize else self.student.module
        return module

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The inner student's own. Raises KdbenchError if it is not an open_clip model."""
        give: Any = getattr(self.student, "open_clip", None)
        if give is None:
            raise KdbenchError(
                f"student {self.name}: found a student, {type(self.student).__name__}, that is not an open_clip model; "
                "expected one such as openclip"
            )
        config, clip = give()
        return config, clip
