"""The made-up run that strategies are tried on: it must be rich enough to tell them apart, and be what it says it is."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from kdbench import Pairs, Signal
from kdbench.testing import Course, drive, generic_batch, generic_signal
from kdbench.testing.retrieval.signals import contents, walk


class Diary:
    """Equal weights; writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.told.append(("weigh", signal.batch.progress))
        return signal.losses.new_full((len(signal.teachers),), 1 / len(signal.teachers))

    def observe(self, loss: float) -> None:
        self.told.append(("observe", loss))

    def report(self) -> dict[str, float]:
        self.told.append(("report", None))
        return {}

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        self.told.append(("end_epoch", validation))


def signals(course: Course) -> list[Any]:
    return [course.signal(step) for step in range(course.total)]


@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_shapes_are_those_of_the_contract(teachers: int) -> None:
    signal = Course(teachers, batch_size=8, width=4).signal(3)
    assert signal.losses.shape == signal.truth_losses.shape == (teachers, 8)
    assert signal.task_losses.shape == (8,)
    assert signal.teacher_probs.shape == (teachers, 8, 8)
    assert signal.student_probs.shape == (8, 8)
    assert signal.embeddings.shape == (2, 8, 4)
    assert len(signal.teacher_embeddings) == teachers
    assert signal.gradients.shape == (teachers, 2 * 8 * 4)
    assert signal.gramian.shape == signal.parameter_gramian.shape == (teachers, teachers)
    assert signal.teachers == tuple(f"teacher{place}" for place in range(teachers))


def test_progress_runs_from_zero_to_one_and_losses_change() -> None:
    seen = signals(Course(epochs=3, steps=4))
    assert [signal.batch.progress for signal in seen] == pytest.approx([step / 12 for step in range(12)])
    assert len({float(signal.losses.sum()) for signal in seen}) == 12


def test_the_student_learns_from_every_teacher_that_is_right() -> None:
    seen = [signal.losses.mean(dim=1) for signal in signals(Course(2, steps=4, epochs=6))]
    first, last = torch.stack(seen[:8]).mean(dim=0), torch.stack(seen[-8:]).mean(dim=0)
    assert last[0] < first[0] / 2
    assert last[1] < first[1]


def test_teachers_differ_in_width_scale_and_quality() -> None:
    seen = signals(Course(5))
    assert len({embedding.shape[2] for embedding in seen[0].teacher_embeddings}) == 3
    truth = torch.stack([signal.truth_losses.mean(dim=1) for signal in seen]).mean(dim=0)
    assert truth.tolist() == sorted(truth.tolist())
    assert truth[-1] > 3 * truth[0]


def test_losses_differ_by_sample_and_the_best_teacher_is_not_always_the_same() -> None:
    losses = torch.cat([signal.losses for signal in signals(Course(3))], dim=1)
    assert losses.std(dim=1).min() > 0.1
    assert set(losses.argmin(dim=0).tolist()) == {0, 1, 2}


def test_gradients_conflict_at_times() -> None:
    cosines = []
    for signal in signals(Course(2)):
        norms = signal.gramian.diag().sqrt()
        cosines.append(float(signal.gramian[0, 1] / norms.prod()))
    assert min(cosines) < 0 < max(cosines)


def test_pairs_share_concepts_at_times() -> None:
    assert any(signal.batch.same.sum() > 8 for signal in signals(Course(steps=2)))


def test_the_parameter_gramian_is_that_of_a_backward_through_the_student() -> None:
    signal = Course(3).signal(5)
    graph = signal._graph
    student = cast(Pairs, graph.student)
    assert isinstance(student.scale, Tensor)
    rows = []
    for losses in graph.losses:
        at_copies = torch.autograd.grad(losses.mean(), [student.image, student.text, student.scale], retain_graph=True)
        found = torch.autograd.grad([*graph.roots, student.scale], list(graph.parameters), at_copies, retain_graph=True)
        rows.append(torch.cat([grad.flatten() for grad in found]).double())
    expected = torch.stack(rows)
    assert expected.abs().sum(dim=1).min() > 0
    torch.testing.assert_close(signal.parameter_gramian, expected @ expected.T)
    assert not torch.allclose(signal.parameter_gramian, signal.gramian)


def test_order_permutes_teachers_and_nothing_else() -> None:
    order = [2, 0, 1]
    for step in (0, 7):
        plain, permuted = Course(3).signal(step), Course(3, order=tuple(order)).signal(step)
        assert permuted.teachers == ("teacher2", "teacher0", "teacher1")
        torch.testing.assert_close(permuted.losses, plain.losses[order], rtol=0, atol=0)
        torch.testing.assert_close(permuted.truth_losses, plain.truth_losses[order], rtol=0, atol=0)
        torch.testing.assert_close(permuted.gramian, plain.gramian[order][:, order])
        torch.testing.assert_close(permuted.task_losses, plain.task_losses, rtol=0, atol=0)


def test_a_teacher_does_not_hang_on_how_many_there_are() -> None:
    few, many = Course(2).signal(4), Course(5).signal(4)
    torch.testing.assert_close(many.losses[:2], few.losses, rtol=0, atol=0)


def test_identical_teachers_are_identical() -> None:
    signal = Course(3, alike=True).signal(2)
    for values in (signal.losses, signal.truth_losses, signal.teacher_probs, signal.gradients):
        assert (values == values[0]).all()
    assert len(set(signal.teachers)) == 3


def test_scales() -> None:
    plain = signals(Course(2, epochs=3, steps=2))
    scaled = signals(Course(2, epochs=3, steps=2, scale=(2.0, 0.0), first=3.0))
    for step, (one, other) in enumerate(zip(plain, scaled, strict=True)):
        by_epoch = 2.0 if step < 2 else 0.0
        torch.testing.assert_close(other.losses, one.losses * by_epoch * torch.tensor([[3.0], [1.0]]))
        torch.testing.assert_close(other.task_losses, one.task_losses, rtol=0, atol=0)


def test_same_seed_same_run_and_another_seed_another() -> None:
    for step in (0, 9):
        one, again, other = (contents(Course(seed=seed).signal(step)) for seed in (0, 0, 1))
        assert all(torch.equal(one[name], again[name]) for name in one)
        assert not torch.equal(one["losses"], other["losses"])
    draws = [torch.rand(3, generator=Course().signal(step).generator) for step in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_walk_calls_what_the_training_loop_calls_in_its_order() -> None:
    diary = Diary()
    course = Course(epochs=3, steps=2)
    losses = [float(moment.signal.task_losses.mean()) for moment in walk(diary, course)]
    assert [name for name, _ in diary.told] == (["weigh", "observe", "report"] * 2 + ["end_epoch"]) * 3
    assert [value for name, value in diary.told if name == "observe"] == losses
    validations = [value for name, value in diary.told if name == "end_epoch"]
    assert validations[0] is None
    for metrics in validations[1:]:
        assert {"rsum", "mean_recall", "image_retrieval_recall@1", "text_retrieval_recall@10"} < set(metrics)


def test_a_walk_can_begin_in_the_middle() -> None:
    course = Course(epochs=2, steps=3)
    moments = list(walk(Diary(), course, first=4))
    assert [moment.step for moment in moments] == [4, 5]
    torch.testing.assert_close(moments[0].signal.losses, course.signal(4).losses, rtol=0, atol=0)


def test_driving_gives_the_weights_of_every_step() -> None:
    assert [weights.tolist() for weights in drive(Diary)] == [pytest.approx([1 / 3] * 3)] * 12
    assert len(drive(Diary, Course(epochs=1, steps=2))) == 2


def test_the_generic_signal_and_batch() -> None:
    signal = generic_signal(4, batch_size=5, width=3, seed=2)
    assert signal.losses.shape == (4, 5)
    assert signal.embeddings.shape == (2, 5, 3)
    assert signal.batch.progress == 0.5
    torch.testing.assert_close(generic_signal(4, 5, 3, 2, scale=1e8).losses, signal.losses * 1e8)
    torch.testing.assert_close(generic_signal(4, 5, 3, 2, order=[3, 2, 1, 0]).losses, signal.losses.flip(0), rtol=0, atol=0)
    batch = generic_batch(4)
    assert torch.equal(batch.same, torch.eye(4, dtype=torch.bool))


def test_a_course_tells_what_it_is() -> None:
    assert str(Course()) == "3 teachers, batch 8, seed 0"
    assert str(Course(1, scale=1e8)) == "1 teacher, batch 8, losses times 1e+08, seed 0"
    assert str(Course(2, scale=(1.0, 0.0), first=0.0, alike=True, order=(1, 0), seed=3)) == (
        "2 identical teachers, batch 8, losses times 1, 0 by epoch, teacher0's losses times 0, order [1, 0], seed 3"
    )


def test_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drive(Diary)
    assert torch.equal(torch.rand(3), expected)
