"""Heads for comparing a student with a teacher, also of another width."""

from __future__ import annotations

from typing import Literal

from torch import nn

from kdbench import KdbenchError

Head = Literal["linear", "two_layer", "none"]  # `two_layer`: a hidden layer of the teacher's width with GELU


def heads(kind: Head, student_width: int, teacher_width: int) -> nn.ModuleList:
    """A head for images and one for texts, [B, student_width] → [B, teacher_width].

    Raises KdbenchError without heads for widths that differ.
    """
    if kind == "none" and student_width != teacher_width:
        raise KdbenchError(
            f"head: found none, for a student of width {student_width} and a teacher of width {teacher_width}; expected linear "
            "or two_layer, or equal widths"
        )
    return nn.ModuleList([_head(kind, student_width, teacher_width) for _ in range(2)])


def linear_heads(student_width: int, teacher_width: int) -> nn.ModuleList:
    """One linear projection for images and one for texts, without biases."""
    return heads("linear", student_width, teacher_width)


def _head(kind: Head, student_width: int, teacher_width: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(student_width, teacher_width, bias=False)
    return nn.Sequential(nn.Linear(student_width, teacher_width), nn.GELU(), nn.Linear(teacher_width, teacher_width))
