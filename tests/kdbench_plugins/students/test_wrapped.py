"""What a student takes over from the one that it is around."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kdbench import KdbenchError, Offer, TeacherData
from kdbench.plugins.building import building_with
from kdbench_plugins.students.wrapped import Wrapped
from tests.support.toys import Toy, TwoTowers, toy, toy_plugins

CLIP = object()


class Around(Wrapped):
    name = "around"


class Able(Toy):
    """Has all that a student may have."""

    def __init__(self) -> None:
        super().__init__(TwoTowers(8), 8)
        self.prepared: list[Any] = []

    def prepare(self, data: TeacherData) -> None:
        self.prepared.append(data)

    def ready(self) -> bool:
        return bool(self.prepared)

    def finalize(self) -> Any:
        return CLIP

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        return {"a": 1}, CLIP


def around(use: str) -> Around:
    with building_with(toy_plugins(students=[Offer("able", Able)])):
        return Around({"use": use})


def test_what_the_inner_student_has() -> None:
    student, data = around("able"), cast(TeacherData, object())
    assert not student.ready()
    student.prepare(data)
    assert student.ready()
    assert cast(Able, student.student).prepared == [data]
    assert student.finalize() is CLIP
    assert student.open_clip() == ({"a": 1}, CLIP)
    assert (student.width, student.images.key, student.texts.key) == (8, "pixels", "tokens")


def test_what_it_lacks() -> None:
    student = around("toy")
    student.prepare(cast(TeacherData, object()))
    assert student.ready()
    assert student.finalize() is student.module is student.student.module
    with pytest.raises(KdbenchError, match="student around: found a student, Toy, that is not an open_clip model"):
        student.open_clip()
    assert toy().width == student.width
