"""The kit finds what is wrong with internals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench import Tap, Taps
from kdbench.testing.findings import Broken
from kdbench.testing.retrieval.examined_student import ExaminedStudent
from kdbench.testing.retrieval.internals import drawn_internals, exposing_student, sound
from kdbench.testing.retrieval.linear_student import LinearStudent
from tests.support.exposing import NAME


class Tapped(LinearStudent):
    """Exposes what `read` makes of its image tower's output, as maps of one pixel."""

    def __init__(self, read: Any = lambda _args, _kwargs, output: output[:, :, None, None]) -> None:
        super().__init__()
        self.read = read

    def taps(self) -> Taps:
        module: Any = self.module
        return {NAME: [Tap(module.image_tower, self.read)]}


def test_sound_internals_pass_and_their_absence_is_told() -> None:
    assert exposing_student(ExaminedStudent(Tapped)) == NAME
    assert exposing_student(ExaminedStudent(LinearStudent)) == "it exposes none"


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda _args, _kwargs, output: output, "expected 4 axes"),
        (lambda _args, _kwargs, output: output[:2, :, None, None], "one per sample"),
        (lambda _args, _kwargs, output: output[:, :, None, None] * torch.inf, "expected finite numbers"),
        (lambda _args, _kwargs, output: output[:, :, None, None].detach(), "found a gradient at none of"),
        (lambda _args, _kwargs, output: output.add_(1)[:, :, None, None], "while internals are read"),
    ],
)
def test_what_is_wrong_is_found(read: Any, expected: str) -> None:
    with pytest.raises(Exception, match=expected):
        exposing_student(ExaminedStudent(lambda: Tapped(read)))


def test_attention_must_sum_to_one() -> None:
    found = drawn_internals(["text_attention"], 10, 4, 2, seed=0)
    sound(found, object())
    with pytest.raises(Broken, match="rows that sum to"):
        sound({"text_attention": [2 * value for value in found["text_attention"]]}, object())
