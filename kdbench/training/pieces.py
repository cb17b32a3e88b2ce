"""The student's forward pass in pieces of a batch: the memory of one piece, the gradient of the whole batch.

This is gradient caching (GradCache; Gao et al. 2021, arXiv 2101.06983). A first pass keeps the outputs of every piece but not
its activations. Losses, strategies and gradients at the outputs see the whole batch. The one backward through the student then
computes each piece again, with the same random numbers, and passes its rows of the gradient on. A step costs one more forward
pass: about 4/3 of the operations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from kdbench.contracts.border import described, refused
from kdbench.plugins.library_warnings import LibraryWarning

Forward = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def pieces_of(samples: int, size: int | None) -> int:
    """Into how many pieces of at most `size` samples a batch is cut; 1 without a size."""
    return 1 if size is None else max(1, -(-samples // size))


def forward_in(pieces: int, forward: Forward, inputs: Sequence[Tensor], module: nn.Module, owner: object) -> list[Tensor]:
    """What `forward` returns for `inputs` [B, …], computed in nearly equal pieces; backward computes each piece again.

    `forward` must give every view a row per sample, and may change nothing but the running statistics of batch norms in
    `module`, which count a piece once. Raises PluginError in the name of `owner`, whose `forward` it is, if a view has other
    rows.
    """
    if pieces == 1:
        return list(forward(inputs))

    kept = StatisticsKept(module)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), kept

    made: list[Sequence[Tensor]] = []
    for piece in zip(*(torch.tensor_split(each, min(pieces, len(each))) for each in inputs), strict=True):
        views: Sequence[Tensor] = checkpoint(lambda *given: forward(given), *piece, use_reentrant=False, context_fn=contexts)
        for view in views:
            if view.dim() == 0 or len(view) != len(piece[0]):
                expected = f"a tensor with {len(piece[0])} rows, one per sample, as train.micro_batch needs"
                raise refused(owner, "forward", described(view), expected)
        made.append(views)
    return [torch.cat(rows) for rows in zip(*made, strict=True)]


def warn_of_statistics(module: nn.Module, pieces: int, samples: int) -> None:
    """Warns that statistics of batch norms are those of pieces, if there are several and the module has batch norms."""
    names = sorted({type(part).__name__ for part in _norms(module) if part.training})
    if pieces > 1 and names:
        message = (
            f"train.micro_batch: the student has {', '.join(names)}: batch statistics are those of pieces of about "
            f"{samples // pieces} samples, not of the whole batch of {samples}"
        )
        warnings.warn(message, LibraryWarning, stacklevel=2)  # which are kept in the record


class StatisticsKept(AbstractContextManager[None]):
    """A context, entered any number of times, in which batch norms do not change their running statistics."""

    def __init__(self, module: nn.Module) -> None:
        self.norms = list(_norms(module))

    def __enter__(self) -> None:
        # Without `track_running_stats` they would save other tensors than in the first pass.
        self.kept = [(norm.momentum, norm.num_batches_tracked) for norm in self.norms]
        for norm in self.norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, batches) in zip(self.norms, self.kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches


def _norms(module: nn.Module) -> Iterator[_BatchNorm]:
    return (part for part in module.modules() if isinstance(part, _BatchNorm))
