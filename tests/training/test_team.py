"""Heads and losses of several teachers, and what mathematics says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kdbench import Batch, Objective, Pairs, Strategy
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.stored import StoredBank, StoredEmbeddings
from kdbench.training.step import Teaching, backward
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.fixed import Fixed
from tests.support.toys import batch_of, bits, pairs_with, random_pairs, stored, team_teacher

BATCH, WIDTH = 6, 4
BATCHED = batch_of(torch.arange(BATCH))
BOTH: list[tuple[float, Objective]] = [(1.0, RelationalKL()), (0.5, Feature())]


def team(teachers: Sequence[TeamTeacher], terms: Sequence[tuple[float, Objective]] = BOTH, seed: int = 0) -> Team:
    return Team(teachers, terms, WIDTH, seed, "cpu")


def embeddings(found: Team) -> list[StoredEmbeddings]:
    """Of its teachers."""
    return [cast(StoredEmbeddings, teacher.stored) for teacher in found.teachers]


def test_heads_depend_on_seed_and_name_and_not_on_the_other_teachers() -> None:
    a, b, c = team_teacher("a"), team_teacher("b", width=5), team_teacher("c", width=8)
    alone = bits(team([a]).heads[0].state_dict())
    assert bits(team([b, a, c]).heads[1].state_dict()) == alone
    assert bits(team([c, b, a]).heads[2].state_dict()) == alone
    assert bits(team([c]).heads[0].state_dict()) != alone
    assert bits(team([a], seed=1).heads[0].state_dict()) != alone


def test_building_heads_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    team([team_teacher("a"), team_teacher("b")])
    torch.testing.assert_close(torch.rand(4), expected, rtol=0, atol=0)
    torch.manual_seed(99)
    one = bits(team([team_teacher("a")]).heads.state_dict())
    torch.manual_seed(100)
    assert bits(team([team_teacher("a")]).heads.state_dict()) == one


def test_heads_fit_teachers_of_any_width() -> None:
    found = team([team_teacher("a", width=3), team_teacher("b", width=11)])
    shapes = [[tuple(parameter.shape) for parameter in heads.parameters()] for heads in found.heads]
    assert shapes == [[(3, WIDTH)] * 2, [(11, WIDTH)] * 2]


def test_outputs_are_the_rows_asked_for_as_unit_vectors() -> None:
    found = team([team_teacher("a"), team_teacher("b", seed=1)])
    images, captions = np.array([4, 0, 7]), np.array([29, 3, 3])
    batch = Batch(torch.from_numpy(images), torch.from_numpy(captions), torch.arange(3), 0.5)
    for pairs, source in zip(found.outputs(batch), embeddings(found), strict=True):
        assert pairs.image.dtype == pairs.text.dtype == torch.float32
        for rows, kept in ((pairs.image, source.image[images]), (pairs.text, source.text[captions])):
            torch.testing.assert_close(rows.norm(dim=1), torch.ones(3))
            np.testing.assert_allclose(rows.numpy(), kept, atol=2e-3)
        assert pairs.scale == 4.0
    read = replace(batch, host=(images, captions))
    for one, other in zip(found.outputs(batch), found.outputs(read), strict=True):
        assert one.image.equal(other.image)
        assert one.text.equal(other.text)
        assert one.bank is other.bank  # one for all batches


def test_losses_are_sums_of_terms_with_their_coefficients() -> None:
    found = team([team_teacher("a"), team_teacher("b", width=5, seed=1)])
    teachers = found.outputs(BATCHED)
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32)
    losses = found.losses(student, teachers, BATCHED)
    assert [part.shape for part in losses] == [(BATCH,)] * 2
    for place, teacher in enumerate(teachers):
        heads: nn.ModuleList = found.heads[place]  # type: ignore[assignment]
        relational = RelationalKL().losses(student, teacher, None, BATCHED)
        feature = Feature().losses(student, teacher, heads[1], BATCHED)  # type: ignore[arg-type]
        torch.testing.assert_close(losses[place], relational + 0.5 * feature)


def test_a_loss_has_the_graph_of_its_own_heads() -> None:
    found = team([team_teacher("a"), team_teacher("b", seed=1)])
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32, learn=True)
    losses = found.losses(student, found.outputs(BATCHED), BATCHED)
    losses[1].sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]  # the student's logits are shared
    assert all(parameter.grad is None for parameter in found.heads[0].parameters())
    assert all(parameter.grad is not None for parameter in found.heads[1].parameters())
    losses[0].sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in found.heads[0].parameters())


class Looks:
    """An objective that keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[Pairs, Batch]] = []

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:  # noqa: ARG002
        self.seen.append((teacher, batch))
        return student.image.square().sum(dim=1)


def test_objectives_are_given_the_batch_and_the_teachers_bank() -> None:
    looks = Looks()
    found = team([team_teacher("a"), team_teacher("b", width=5, seed=1)], [(1.0, looks)])
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32)
    found.losses(student, found.outputs(BATCHED), BATCHED)
    assert [batch is BATCHED for _, batch in looks.seen] == [True, True]
    for (teacher, _), source in zip(looks.seen, embeddings(found), strict=True):
        assert teacher.bank is not None
        assert teacher.bank.images().shape == source.image.shape
        assert teacher.bank.images(torch.arange(BATCH)).equal(teacher.image)
        assert teacher.bank.captions(torch.arange(BATCH)).equal(teacher.text)


def test_a_team_without_terms_of_weight_costs_nothing() -> None:
    found = team([team_teacher("a")], [(0.0, RelationalKL())])
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32)
    (losses,) = found.losses(student, found.outputs(BATCHED), BATCHED)
    assert losses.abs().max() == 0


def test_a_bank_has_the_unit_vectors_of_the_train_split() -> None:
    source = stored(width=5)
    bank = StoredBank(source, "cpu")
    for whole, kept in ((bank.images(), source.image), (bank.captions(), source.text)):
        assert whole.dtype == torch.float32
        assert whole.shape == kept.shape
        torch.testing.assert_close(whole.norm(dim=1), torch.ones(len(kept)))
        np.testing.assert_allclose(whole.numpy(), kept, atol=2e-3)
    assert bank.image_concepts.tolist() == source.image_concepts.tolist()
    assert bank.caption_concepts.tolist() == source.caption_concepts.tolist()


@pytest.mark.parametrize("rows", [[], [0], [19, 3, 3, 0], list(range(20))])
@pytest.mark.parametrize("whole_first", [True, False])
def test_rows_of_a_bank_are_rows_of_all_of_it(rows: list[int], whole_first: bool) -> None:
    bank, indices = StoredBank(stored(width=7), "cpu"), torch.tensor(rows, dtype=torch.int64)
    for read in (bank.images, bank.captions):
        whole = read() if whole_first else None
        some = read(indices)
        assert some.shape == (len(rows), 7)
        assert some.equal((read() if whole is None else whole)[indices])


class Watched:
    """Stored embeddings that count the rows read of them."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.shape = values.shape
        self.read = 0

    def __getitem__(self, index: Any) -> Any:
        found = self.values[index]
        self.read += len(found)
        return found

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.read += len(self.values)
        return self.values


def test_of_a_bank_only_what_is_asked_for_is_read() -> None:
    plain = stored()
    image, text = Watched(plain.image), Watched(plain.text)
    found = team([TeamTeacher("a", replace(plain, image=image, text=text))])  # type: ignore[arg-type]
    assert (image.read, text.read) == (0, 0)
    (pairs,) = found.outputs(batch_of(torch.arange(3)))
    bank = pairs.bank
    assert (image.read, text.read) == (3, 3)
    bank.captions(torch.tensor([7, 8]))
    assert (image.read, text.read) == (3, 5)
    whole = bank.images()
    assert bank.images() is whole  # kept for objectives that ask at each step
    assert (image.read, text.read) == (23, 5)


class Outcome:
    """Loss, weights, and gradients at the embeddings and the scale, of one step."""

    def __init__(self, found: Team | None, teachers: Sequence[Pairs], strategy: Strategy | None, distill: float = 1.0) -> None:
        student = random_pairs(BATCH, WIDTH, dtype=torch.float32, learn=True)
        scale = torch.tensor(1.5, requires_grad=True)
        teaching = Teaching(found, teachers, strategy, distill, torch.Generator()) if found else None
        # The embeddings of a student: results of something, not leaves.
        result = backward(Retrieval(), (student.image * 1, student.text * 1), pairs_with(scale.exp()), BATCHED, teaching)
        assert student.image.grad is not None
        assert student.text.grad is not None
        assert scale.grad is not None
        self.loss = float(result.loss)
        self.gradient = torch.cat([student.image.grad.flatten(), student.text.grad.flatten(), scale.grad[None]])


@pytest.mark.parametrize("times", [2, 3, 5])
@pytest.mark.parametrize("strategy", [Equal(), Ammkd()])
def test_a_teacher_given_twice_under_equal_equals_it_once(times: int, strategy: Strategy) -> None:
    """Without heads, which would share the teacher's gradient. Teachers that agree are weighed equally by `ammkd` too."""
    terms: list[tuple[float, Objective]] = [(1.0, RelationalKL())]
    once = team([team_teacher("a")], terms)
    alone = Outcome(once, once.outputs(BATCHED), None)
    twice = team([team_teacher(name) for name in "abcde"[:times]], terms)
    doubled = Outcome(twice, twice.outputs(BATCHED), strategy)
    assert doubled.loss == pytest.approx(alone.loss, rel=1e-6)
    torch.testing.assert_close(doubled.gradient, alone.gradient, rtol=1e-5, atol=1e-7)
    bare = Outcome(None, [], None)
    assert not torch.allclose(bare.gradient, alone.gradient, rtol=1e-2)


@pytest.mark.parametrize("weights", [{"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 0.7, "b": 0.1, "c": 0.2}, {"a": 0, "b": 1, "c": 0}])
def test_fixed_weights_equal_distilling_from_the_mixture(weights: dict[str, float]) -> None:
    """KL is linear in the teacher up to a constant: Σ_t w_t ∇KL(p_t ‖ q) = ∇KL(Σ_t w_t p_t ‖ q)."""
    found = team([team_teacher(name, seed=seed, scale=3.0 + seed) for seed, name in enumerate("abc")], [(1.0, RelationalKL())])
    teachers = found.outputs(BATCHED)
    fixed = Outcome(found, teachers, Fixed(weights=weights))
    bare = Outcome(None, [], None)

    shares = np.array([weights[name] for name in "abc"]) / sum(weights.values())
    scores = [float(teacher.scale) * teacher.image @ teacher.text.T for teacher in teachers]
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32, learn=True)
    scale = torch.tensor(1.5, requires_grad=True)
    own = scale.exp() * student.image @ student.text.T
    loss = torch.zeros(())
    for ways in ([own, *scores], [own.T, *(s.T for s in scores)]):
        mixture: Tensor = sum((w * torch.softmax(s, 1) for w, s in zip(shares, ways[1:], strict=True)), torch.zeros(()))
        loss = loss + (mixture * (mixture.log() - ways[0].log_softmax(1))).sum(1).mean() / 2
    gradients = torch.autograd.grad(loss, (student.image, student.text, scale))
    mixed = torch.cat([gradient.flatten() for gradient in gradients])
    torch.testing.assert_close(fixed.gradient - bare.gradient, mixed, rtol=1e-4, atol=1e-6)
