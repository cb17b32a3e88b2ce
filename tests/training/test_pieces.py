"""A batch in pieces has the gradient of the whole batch, in less memory and for one more forward pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.utils.flop_counter import FlopCounterMode

from kdbench import PluginError
from kdbench.plugins.library_warnings import LibraryWarning
from kdbench.training.distributed import ALONE
from kdbench.training.pieces import forward_in, pieces_of, warn_of_statistics
from kdbench_plugins.strategies.ammkd import Ammkd
from tests.support.emoji_learner import emoji_learner
from tests.support.ranked import OBJECTIVES, STRATEGIES, STUDENTS, step
from tests.support.toys import NoModules

CLOSE = 1e-6
CASES = [
    *product(STUDENTS, ["feature"], [name for name in STRATEGIES if name != "whiten_mtd"], [4]),
    *product(STUDENTS, ["relational_kl"], ["whiten_mtd"], [4]),  # which fuses logits
    *product(["float64"], OBJECTIVES, ["ammkd", "equal"], [2, 8]),
]


@pytest.mark.parametrize(("samples", "size", "pieces"), [(8, None, 1), (8, 8, 1), (8, 9, 1), (9, 8, 2), (8, 3, 3), (3, 1, 3)])
def test_a_batch_is_cut_into_the_fewest_pieces(samples: int, size: int | None, pieces: int) -> None:
    assert pieces_of(samples, size) == pieces


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_every_value_of_a_step_is_that_of_the_whole_batch(case: tuple[str, str, str, int]) -> None:
    student, objective, strategy, pieces = case
    whole = step(student, objective, strategy, 7, ALONE).values()
    found = step(student, objective, strategy, 7, ALONE, pieces).values()
    assert whole.keys() == found.keys()
    for name, value in whole.items():
        other = found[name]
        if value is None or other is None:
            assert value is other, name
        else:
            assert float((other - value).abs().max()) <= CLOSE * max(1.0, float(value.abs().max())), name


class Drawing(nn.Module):
    """Draws in its forward pass, and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.passes = 0

    def forward(self, given: Sequence[Tensor]) -> list[Tensor]:
        self.passes += 1
        return [self.norm(dropout(self.layer(given[0])))]


def drawn(pieces: int) -> tuple[Drawing, Tensor, Tensor]:
    """A module after backward of all it drew, its outputs, and their gradient."""
    torch.manual_seed(0)
    module, rows = Drawing(), torch.randn(6, 3)
    (made,) = forward_in(pieces, module, [rows], module, "the student")
    torch.manual_seed(1)  # draws of a strategy in between
    grad = torch.randn_like(made)
    made.backward(grad)  # type: ignore[no-untyped-call]
    return module, made, grad


def test_a_piece_draws_the_same_numbers_again_and_counts_in_statistics_once() -> None:
    module, made, grad = drawn(3)
    torch.manual_seed(0)
    oracle, rows = Drawing(), torch.randn(6, 3)
    parts = [oracle([piece])[0] for piece in rows.split(2)]  # type: ignore[no-untyped-call]
    assert torch.equal(torch.cat(parts), made)
    torch.cat(parts).backward(grad)  # type: ignore[no-untyped-call]
    assert module.passes == 2 * oracle.passes == 6
    for (name, value), other in zip(module.named_parameters(), oracle.parameters(), strict=True):
        assert value.grad is not None
        assert other.grad is not None
        assert torch.allclose(value.grad, other.grad, atol=CLOSE), name
    for name, buffer in oracle.named_buffers():
        assert torch.equal(module.get_buffer(name), buffer), name
    assert module.norm.momentum == 0.1


def test_statistics_of_pieces_are_told_of() -> None:
    with pytest.warns(LibraryWarning, match=r"train.micro_batch: the student has BatchNorm1d: .* about 2 samples, not .* 6$"):
        warn_of_statistics(Drawing(), 3, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_statistics(Drawing(), 1, 6)
        warn_of_statistics(nn.Sequential(nn.LayerNorm(2)), 3, 6)
        warn_of_statistics(Drawing().eval(), 3, 6)  # frozen: it has running statistics alone


def test_a_view_without_a_row_per_sample_is_refused() -> None:
    with pytest.raises(
        PluginError, match=r"forward: found .*\[\].* expected a tensor with 3 rows, .* as train.micro_batch needs"
    ):
        forward_in(2, lambda given: [given[0].sum()], [torch.ones(6, 3)], nn.Linear(1, 1), object())


def test_a_step_in_pieces_costs_one_more_forward_pass() -> None:
    counted = []
    for pieces in (1, 4):
        learner = emoji_learner(4, Ammkd())
        learner.pieces = pieces
        counter = FlopCounterMode(display=False)
        counter.mod_tracker = NoModules()  # type: ignore[assignment]
        with counter:
            learner.step(0)
        counted.append(counter.get_total_flops())
    assert 1.2 < counted[1] / counted[0] <= 1.34
