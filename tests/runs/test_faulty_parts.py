"""Teachers and objectives whose numbers are wrong: the run fails with their name, nothing of it is cached, no run diverges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Batch, Offer, Pairs, TeacherData, Towers, hookimpl
from kdbench.errors import Diverged, NotFinite
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute, reason_of
from kdbench.runs.rehearse import rehearse
from tests.runs.test_teacher_itself import reference
from tests.support.toys import Projection, Sage, plugged, run_context, run_spec, term

pytestmark = pytest.mark.fault("NaN or invalid outputs of a teacher or an objective")

SPOILS: dict[str, Callable[[Tensor], Tensor]] = {
    "nan": lambda made: made.index_fill(0, torch.tensor([3, 4]), torch.nan),
    "inf": lambda made: made.index_fill(0, torch.tensor([3, 4]), torch.inf),
    "huge": lambda made: made.index_fill(0, torch.tensor([3, 4]), 7e4),
    "zero": lambda made: made.index_fill(0, torch.tensor([3, 4]), 0.0),
    "equal": lambda made: made[:1].expand_as(made).clone(),
}


class Spoilt(Projection):
    """Image embeddings, two of which are spoilt in each call."""

    def __init__(self, how: str) -> None:
        super().__init__("image", 12, 0)
        self.how, self.key = how, f"spoilt {how}"

    def encode(self, items: Any, device: str) -> Tensor:
        return SPOILS[self.how](super().encode(items, device))


class Faulty(Sage):
    def __init__(self, *, how: str) -> None:
        super().__init__()
        self.image = Spoilt(how)


class Lost(Sage):
    """A teacher whose own training diverges."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        raise Diverged("loss nan at step 3 of 9")


class Wrong:
    """An objective that returns something else than a distance."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def head(self, student_width: int, teacher_width: int) -> None: ...

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        found = 1 - (student.image * student.text).sum(dim=1)
        return {
            "scalar": found.mean(),
            "negative": found - 3,
            "detached": found.detach(),
            "nan": found * torch.nan,
            "right": found,
        }[self.how]


class Objectives:
    @hookimpl
    def kdbench_objectives(self) -> list[Offer[Any]]:
        return [Offer("wrong", Wrong)]


def context_of(folder: Path) -> RunContext:
    context = run_context(folder, teachers=[Offer("faulty", Faulty), Offer("lost", Lost)])
    context.plugins.register(Objectives(), "tests:objectives")
    return context


@pytest.mark.parametrize(("how", "expected"), [("nan", "finite numbers"), ("inf", "finite numbers"), ("huge", "at most 65504")])
def test_a_teacher_whose_numbers_are_none(how: str, expected: str, tmp_path: Path) -> None:
    context = context_of(tmp_path)
    faulty = plugged("faulty", "wise", how=how)
    for spec in (run_spec(("a", faulty)), reference(student=faulty)):
        record = execute(spec, context)
        split = "test" if spec.reference else "train"
        assert record.status == "failed"
        assert record.reason.startswith("teacher wise: ")
        assert f"for {split} image 3 and 1 more of " in record.reason
        assert f"expected {expected}" in record.reason
    texts = [path for path in context.cache.root.glob("encodings/*") if path.name.startswith(".")]
    assert texts == []  # nothing half made is left


@pytest.mark.parametrize(
    ("how", "told"),
    [("zero", r"2 of 32 embeddings of length 0, the first in row 3"), ("equal", r"32 equal embeddings in a row")],
)
def test_a_teacher_that_says_nothing_is_told(how: str, told: str, tmp_path: Path) -> None:
    with pytest.warns(match=told):
        assert execute(run_spec((plugged("faulty", "dull", how=how),)), context_of(tmp_path)).status == "ok"


def test_a_teacher_whose_own_training_diverges(tmp_path: Path) -> None:
    record = execute(run_spec((plugged("lost", "torn"),)), context_of(tmp_path))
    assert record.status == "failed"
    assert record.reason == "teacher torn: its own training diverged: loss nan at step 3 of 9"


@pytest.mark.parametrize("beside", [(), (term("feature"),)])
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("scalar", "losses: found shape [], expected [8]"),
        ("negative", "expected losses of 0 or more"),
        ("detached", "losses: found losses without a gradient, expected losses computed from the student's outputs"),
        ("nan", "losses, first step: found nan for finite outputs of student and teacher, expected finite losses"),
    ],
)
def test_an_objective_that_is_none(how: str, told: str, beside: Any, tmp_path: Path) -> None:
    """Alone, and beside a term that hides it."""
    spec, context = run_spec(objective=(term("wrong", how=how), *beside)), context_of(tmp_path)
    record = execute(spec, context)
    assert record.status == "failed"
    assert f"{__name__}.Wrong.losses" in record.reason
    assert told in record.reason
    with pytest.raises(Exception, match=r"Wrong\.losses"):
        rehearse(spec, context)


def test_a_right_one_passes(tmp_path: Path) -> None:
    assert execute(run_spec(objective=(term("wrong", how="right"),)), context_of(tmp_path)).status == "ok"


def test_an_extreme_learning_rate_is_the_runs_own(tmp_path: Path) -> None:
    record = execute(run_spec(train={"lr": 1e9}), context_of(tmp_path))
    assert record.status == "diverged"
    assert record.reason.startswith("loss ")


def test_why_a_run_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert reason_of(NotFinite("teacher a: found nan")) == "teacher a: found nan"
    assert reason_of(PermissionError(13, "Permission denied", "/results")) == "/results: Permission denied"
    assert capsys.readouterr().err == ""
    assert reason_of(ZeroDivisionError("by zero")) == "ZeroDivisionError: by zero"
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err
