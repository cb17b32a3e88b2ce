"""Divergences of a student's in-batch distributions from those of several teachers, with the student's softmax computed once.

Autograd would compute the student's logits and two softmaxes for each teacher, forward and backward. The gradient has a closed
form: that of τ² KL(T ‖ P) at the logits L, with P = σ(L/τ), is τ (P − T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kdbench import Pairs


@dataclass(frozen=True)
class Softmax:
    """The distributions of logits [B, B] over each row and over each column, and their logarithms, all [B, B]."""

    log_rows: Tensor
    log_columns: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, logits: Tensor, temperature: float) -> Softmax:
        cool = logits if temperature == 1.0 else logits / temperature
        rows, columns = cool.log_softmax(dim=1), cool.log_softmax(dim=0)
        return cls(rows, columns, rows.exp(), columns.exp())


@dataclass(frozen=True)
class Own:
    """The student's side without a graph: similarities [B, B], and the distributions of its logits."""

    similarities: Tensor
    softmax: Softmax

    @classmethod
    def of(cls, student: Pairs, scale: Tensor | float, temperature: float) -> Own:
        with torch.no_grad():
            similarities = student.image @ student.text.T
            return cls(similarities, Softmax.of(scale * similarities, temperature))


def divergences(student: Pairs, scale: Tensor | float, own: Own, aim: Tensor, temperature: float) -> Tensor:
    """[B]: ½τ² [KL(σ(A/τ) ‖ σ(L/τ)) of rows + that of columns], for a teacher's logits A [B, B] and the student's L.

    `own` is the student's side at this scale and temperature. Gradients go to the embeddings, and to a scale that is learned.
    """
    factor = scale if isinstance(scale, Tensor) else student.image.new_full((), scale)
    found: Tensor = _Divergences.apply(student.image, student.text, factor, own, aim, temperature)
    return found


class _Divergences(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, text: Tensor, scale: Tensor, own: Own, aim: Tensor, temperature: float) -> Tensor:
        aims, mine = Softmax.of(aim, temperature), own.softmax
        rows = torch.linalg.vecdot(aims.rows, aims.log_rows - mine.log_rows)
        columns = torch.linalg.vecdot(aims.columns, aims.log_columns - mine.log_columns, dim=0)
        ctx.save_for_backward(image, text, scale)
        ctx.own, ctx.aims, ctx.temperature = own, aims, temperature
        losses: Tensor = (rows + columns) * (temperature**2 / 2)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        image, text, scale = ctx.saved_tensors
        mine, aims = ctx.own.softmax, ctx.aims
        weights = grad * (ctx.temperature / 2)
        logits = (mine.rows - aims.rows).mul_(weights[:, None]) + (mine.columns - aims.columns).mul_(weights)
        of_scale = torch.vdot(logits.flatten(), ctx.own.similarities.flatten()) if ctx.needs_input_grad[2] else None
        logits *= scale
        of_image = logits @ text if ctx.needs_input_grad[0] else None
        of_text = logits.T @ image if ctx.needs_input_grad[1] else None
        return of_image, of_text, of_scale, None, None, None
