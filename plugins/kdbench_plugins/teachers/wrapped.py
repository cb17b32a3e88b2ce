"""What a teacher that changes another one takes over from it before either is prepared."""

from __future__ import annotations

from typing import Any

from kdbench import ImageCost, KdbenchError, Modality, TeacherData, Towers, build


class Wrapped:
    """Base of teachers that hold the spec of another one: they lack the tower that it lacks, and views if it lacks those."""

    def __init__(self, teacher: dict[str, Any]) -> None:
        self.teacher = teacher

    @property
    def lacks(self) -> Modality | None:
        return lacking(self.teacher)

    @property
    def plain(self) -> bool:
        return bool(_told(self.teacher, "plain"))

    def image_cost(self) -> ImageCost | None:
        """That of the other teacher."""
        asked = _told(self.teacher, "image_cost")
        cost: ImageCost | None = asked() if asked else None
        return cost

    def inner(self, data: TeacherData) -> Towers:
        """The towers of the other teacher."""
        towers: Towers = build("teacher", self.teacher).towers(data)
        return towers


def lacking(teacher: dict[str, Any]) -> Modality | None:
    """The tower that a teacher lacks, by its spec."""
    lacks: Modality | None = _told(teacher, "lacks")
    return lacks


def refuse_lacking(name: str, needed: tuple[Modality, ...], *teachers: dict[str, Any]) -> None:
    """Raises KdbenchError if one of the teachers that the teacher `name` changes lacks a tower that is needed."""
    for teacher in teachers:
        if (lacks := lacking(teacher)) in needed:
            raise KdbenchError(f"teacher {name}: found the teacher {teacher['use']} without {lacks} tower; expected one with")


def _told(teacher: dict[str, Any], name: str) -> Any:
    """An attribute of a teacher that is not prepared; None of one that cannot be built, which is left to its own check."""
    try:
        return getattr(build("teacher", teacher), name, None)
    except Exception:  # any exception of the plugin
        return None
