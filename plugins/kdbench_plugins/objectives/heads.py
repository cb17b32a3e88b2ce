"""Heads for comparing a student with a teacher of another width."""

from __future__ import annotations

from torch import nn


def linear_heads(student_width: int, teacher_width: int) -> nn.ModuleList:
    """One linear projection for images and one for texts, without biases."""
    return nn.ModuleList([nn.Linear(student_width, teacher_width, bias=False) for _ in range(2)])
