"""Divergences of a student's in-batch distributions from those of several teachers, with the student's softmax computed once.

Autograd would compute the student's two softmaxes for each teacher, forward and backward. The gradient has a closed form: that
of τ² KL(T ‖ P) at the logits L, with P = σ(L/τ), is τ (P − T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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


def divergences(logits: Tensor, own: Softmax, aim: Tensor, temperature: float) -> Tensor:
    """[B]: ½τ² [KL(σ(A/τ) ‖ σ(L/τ)) of rows + that of columns], for a teacher's logits A and the student's L, both [B, B].

    `own` is the softmax of L at this temperature, without a graph. Gradients go to L.
    """
    found: Tensor = _Divergences.apply(logits, own, Softmax.of(aim, temperature), temperature)
    return found


class _Divergences(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Softmax, aims: Softmax, temperature: float) -> Tensor:  # noqa: ARG004
        rows = torch.linalg.vecdot(aims.rows, aims.log_rows - own.log_rows)
        columns = torch.linalg.vecdot(aims.columns, aims.log_columns - own.log_columns, dim=0)
        ctx.own, ctx.aims, ctx.temperature = own, aims, temperature
        losses: Tensor = (rows + columns) * (temperature**2 / 2)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        own, aims = ctx.own, ctx.aims
        weights = grad * (ctx.temperature / 2)
        rows, columns = own.rows - aims.rows, own.columns - aims.columns
        return rows.mul_(weights[:, None]).addcmul_(columns, weights), None, None, None
