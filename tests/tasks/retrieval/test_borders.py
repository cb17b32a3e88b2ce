"""Students and teachers of retrieval: what they must be when built, and return when used."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import PluginError, TeacherData, Towers
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.borders import UnitRows, checked_norms, checked_student, checked_towers, checked_views
from kdbench.tasks.retrieval.embeddings import student_embeddings
from kdbench.tasks.retrieval.teachers import rank_teacher, teach
from tests.support.toys import Pixels, Projection, Sage, Tokens, Toy, TwoTowers, cached, encoded, toy


def without(name: str) -> Callable[[Toy], None]:
    return lambda student: delattr(student, name)


def with_scale(scale: Any) -> Callable[[Toy], None]:
    def change(student: Toy) -> None:
        module = cast(nn.Module, student.module)
        del module.logit_scale
        if scale is not None:
            object.__setattr__(module, "logit_scale", scale)

    return change


def put(**attributes: Any) -> Callable[[Toy], None]:
    return lambda student: student.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (without("width"), r"toys\.Toy\.width: found nothing, expected the width of its embeddings"),
        (put(width=8.0), r"Toy\.width: found 8\.0"),
        (put(width=0), r"Toy\.width: found 0"),
        (put(module=len), r"Toy\.module: found builtin_function_or_method, expected a torch\.nn\.Module"),
        (put(module=nn.Linear(2, 2)), r"Linear\.encode_image: found nothing, expected a method"),
        (with_scale(None), r"TwoTowers\.logit_scale: found nothing, expected a parameter with one finite number"),
        (with_scale(2.0), r"TwoTowers\.logit_scale: found 2\.0"),
        (with_scale(torch.zeros(2)), r"TwoTowers\.logit_scale: found float32 of shape \[2\]"),
        (with_scale(torch.tensor(math.nan)), r"TwoTowers\.logit_scale"),
        (put(images=Tokens()), r"Toy\.images\.modality: found 'text', expected 'image'"),
        (put(texts=None), r"Toy\.texts\.modality: found None"),
    ],
)
def test_a_student_that_lacks_something_is_refused_when_built(change: Callable[[Toy], None], error: str) -> None:
    student = toy()
    checked_student(student)
    change(student)
    with pytest.raises(PluginError, match=error):
        Retrieval().check_plugin("student", student)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_embeddings_have_the_declared_width_and_a_row_per_pair(rows: int, width: int, image: int, text: int) -> None:
    student = toy(width=width)
    views = torch.zeros(rows, image), torch.zeros(rows, text)
    if image == text == width:
        assert checked_views(student, views, rows) == views
    else:
        wrong = "image" if image != width else "text"
        with pytest.raises(
            PluginError, match=rf"TwoTowers\.encode_{wrong}: found shape \[{rows}, .*expected \[{rows}, {width}\]"
        ):
            checked_views(student, views, rows)
    with pytest.raises(PluginError, match="encode_image: found shape"):
        checked_views(student, views, rows + 1)


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=5))
def test_exactly_unit_vectors_and_dead_ones_pass(norms: list[float]) -> None:
    vectors = normalize(torch.rand(len(norms), 4) + 0.1, dim=1) * torch.tensor(norms)[:, None]
    found = vectors.norm(dim=1)
    wrong = [row for row, norm in enumerate(found.tolist()) if norm > 0 and abs(norm - 1) > 2e-2]
    if not wrong:
        checked_norms(vectors, toy(), "encode_image")
    else:
        with pytest.raises(PluginError, match=rf"Toy\.encode_image: found norm .* in row {wrong[0]}, expected unit vectors"):
            checked_norms(vectors, toy(), "encode_image")


class Loud(TwoTowers):
    """Its captions are no unit vectors."""

    def encode_text(self, texts: Tensor) -> Tensor:
        return 2 * super().encode_text(texts)


def test_a_student_without_unit_vectors_is_refused_at_its_first_evaluation(tmp_path: Path) -> None:
    """Similarities would be no cosines: its figures could be compared with nobody's."""
    student = Toy(Loud(8), 8)
    with pytest.raises(PluginError, match=r"Loud\.encode_text: found norm 2 in row 0"):
        student_embeddings(student, encoded(tmp_path, student, "validation"), 7, "cpu")
    with pytest.raises(PluginError, match=r"Loud\.encode_text"):
        Retrieval().check_outputs(student, Retrieval().forward(student, encoded_batch(tmp_path, student)))


def encoded_batch(folder: Path, student: Toy) -> list[Tensor]:
    split = encoded(folder, student, "train")
    return [torch.from_numpy(np.array(values[:6])) for values in (split.images, split.texts)]


class Wrong(Projection):
    """A tower whose outputs are changed."""

    def __init__(self, modality: Any, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(modality, 6, 0)
        self.change, self.key = change, f"wrong {id(change)}"

    def encode(self, items: Any, device: str) -> Tensor:
        return self.change(super().encode(items, device))


class Given(Sage):
    """A teacher of given towers."""

    def __init__(self, towers: Any) -> None:
        super().__init__()
        self.given = towers

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        found: Towers = self.given
        return found


RIGHT = Projection("image", 6, 0), Projection("text", 6, 0)


@pytest.mark.parametrize(
    ("towers", "error"),
    [
        (RIGHT, r"Given\.towers: found tuple of 2, expected kdbench\.Towers"),
        (Towers(RIGHT[1], RIGHT[0], 1.0), r"Given\.towers\(\)\.image\.modality: found 'text', expected 'image'"),
        (
            Towers(*RIGHT, cast(Any, torch.tensor(2.0))),
            r"towers\(\)\.logit_scale: found float32 of shape \[\], expected a finite",
        ),
        (Towers(*RIGHT, math.nan), r"logit_scale: found nan"),
        (Towers(*RIGHT, 0.0), r"logit_scale: found 0\.0"),
        (Towers(RIGHT[0], Wrong("text", lambda made: 2 * made), 1.0), r"Wrong\.encode: found norm 2 in row 0, expected unit"),
        (
            Towers(RIGHT[0], Wrong("text", lambda made: made[:, :5]), 1.0),
            r"Wrong\.encode: found shape \[\d+, 5\], expected \[\d+, 6\]",
        ),
        (Towers(Pixels(), RIGHT[1], 1.0), r"Pixels\.encode: found shape \[32, 6, 6, 3\], expected \[32, \?\]"),
        (Towers(RIGHT[0], Wrong("text", lambda made: made * math.nan), 1.0), r"Wrong\.encode: found nan for \w+ text 0"),
    ],
)
def test_what_is_no_pair_of_towers_is_refused_for_distillation_and_evaluation(towers: Any, error: str, tmp_path: Path) -> None:
    for use in (
        lambda: teach(cached(tmp_path), Given(towers), Retrieval()),
        lambda: rank_teacher(cached(tmp_path), Given(towers), "validation", Retrieval()),
    ):
        with pytest.raises(PluginError, match=error.replace("[32", r"[\d+").replace(r"\[32", r"\[\d+")):
            use()


def test_towers() -> None:
    towers = Towers(*RIGHT, 3)
    assert checked_towers(towers, Sage()) is towers
    assert UnitRows(RIGHT[0])(normalize(torch.rand(3, 5), dim=1).half().numpy()) == 5
    with pytest.raises(PluginError, match=r"toys\.Toy\.towers: found nothing, expected a method, which a teacher must have"):
        Retrieval().check_plugin("teacher", toy())
