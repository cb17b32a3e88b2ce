"""One run on several devices: what its ranks exchange to compute the gradient of a single process.

The loss of a step may depend on the whole batch; in retrieval, every image is compared with every text. Let
V = [V_1; …; V_N] be the student's outputs, of which rank r computes the rows V_r. The chain rule gives

    dL/dθ = Σ_r J_rᵀ ∂L/∂V_r + (contributions above the outputs: a logit scale, heads, an auxiliary loss),

where J_r = ∂V_r/∂θ. Every rank therefore gathers V, computes all losses of the whole batch on a detached copy (cheap compared
with the student), takes the gradients that a strategy reads there, and passes the rows ∂L/∂V_r backward through its part of
the student's forward pass in one ordinary backward. This equals the gradient of a differentiable gather, whose backward would
sum the same rows of N equal losses and divide by N.

DistributedDataParallel averages the ranks' gradients, so the rows are multiplied by N to make the mean a sum. Parameters
above the outputs have the same gradient on every rank, because all ranks have the same batch; it is computed before the
averaging backward, and averaging does not change it. `Relay` combines both.

The result equals that of one process with the same global batch, up to the order of sums, with two exceptions. Random numbers
inside the student, such as for dropout, differ between ranks. Batch statistics are those of a rank's rows, unless
`synchronised` can compute them over the whole batch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kdbench.errors import KdbenchError
from kdbench.plugins.library_warnings import LibraryWarning

# A rank may wait hours for another that encodes or reads. The launcher stops ranks that wait for a dead one.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """The rank of this process among `size`. A world of one exchanges nothing."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this rank writes checkpoints and records."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """The rows of a batch of `total` that belong to this rank. Numbers of rows differ by at most one, and may be zero."""
        return slice(self.rank * total // self.size, (self.rank + 1) * total // self.size)

    def read(self, total: int) -> slice:
        """The rows that this rank reads: its own, or the first row if it has none.

        The student never receives an empty batch, and every rank takes part in every collective.
        """
        share = self.share(total)
        return share if share.start < share.stop else slice(0, min(1, total))

    def gather(self, values: Tensor, total: int) -> Tensor:
        """The rows of all ranks, [total, …], in order and without gradient; `own` are those that this rank has read."""
        if self.size == 1:
            return values
        shares = [World(rank, self.size).share(total) for rank in range(self.size)]
        longest = max(share.stop - share.start for share in shares)
        own = values.new_zeros(longest, *values.shape[1:])
        own[: len(values)] = values.detach()[:longest]
        parts = [torch.empty_like(own) for _ in shares]
        dist.all_gather(parts, own)
        return torch.cat([part[: share.stop - share.start] for part, share in zip(parts, shares, strict=True)])

    def own(self, values: Tensor) -> Tensor:
        """The rows of `values` [total, …] that this rank has read; zeros for the row that it reads without owning it."""
        share, read = self.share(len(values)), self.read(len(values))
        return values[read] if share == read else torch.zeros_like(values[read])

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the ranks."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def agreed(self, value: Tensor) -> Tensor:
        """Rank 0's tensor. All ranks compute the same, but GPUs may sum in another order."""
        if self.size > 1:
            value = value.contiguous().clone()
            dist.broadcast(value, 0)
        return value

    def broadcast(self, value: Any) -> Any:
        """Returns rank 0's value, of any picklable type, on all ranks."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def agree_on_buffers(self, module: nn.Module) -> None:
        """Copies rank 0's buffers, such as the running statistics of batch normalisation, to all ranks."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)


ALONE = World()


@dataclass(frozen=True)
class Rank:
    """A process of a distributed run before initialisation: its `index` among `size`, and torch's `init_method`."""

    index: int = 0
    size: int = 1
    init_method: str = "env://"

    @classmethod
    def of_environment(cls) -> Rank:
        """The rank set by torchrun, or that of an initialised torch.distributed (Ray Train).

        Raises KdbenchError if the environment has neither.
        """
        if dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        try:
            return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        except (KeyError, ValueError) as error:
            raise KdbenchError(f"no rank: the environment has no {error}; start this with torchrun") from error

    def device(self, device: str) -> str:
        """The device of this rank: on a machine with GPUs each rank has its own."""
        return f"cuda:{os.environ.get('LOCAL_RANK', self.index)}" if device == "cuda" and self.size > 1 else device

    @contextmanager
    def joined(self, device: str) -> Iterator[World]:
        """A context with torch.distributed initialised; yields the world. Every rank must enter and leave it."""
        if self.size == 1:
            yield ALONE
        elif dist.is_initialized():
            yield World(self.index, self.size)
        else:
            backend = "nccl" if device.startswith("cuda") else "gloo"
            if backend == "nccl":
                torch.cuda.set_device(device)
            dist.init_process_group(backend, self.init_method, PATIENCE, rank=self.index, world_size=self.size)
            # Not after an error: shutting down during a collective may hang, and the launcher stops the others.
            yield World(self.index, self.size)
            dist.destroy_process_group()


class Relay:
    """DistributedDataParallel around a student and its heads, used just before the one backward through the student.

    The wrapped module returns the student's outputs unchanged. Before, the losses' backward on detached copies has set the
    gradients of parameters above the outputs. DistributedDataParallel marks a parameter as ready only once, so these must not
    arrive separately: an edge without gradient connects them with the outputs, they count as used, and their gradients are
    averaged unchanged. An unused parameter has no gradient, as in one process.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about a coming rename, which older torch does not have
            # Buffers are not synchronised here: training does not read them, and they are copied from rank 0 before evaluation.
            self.module = nn.parallel.DistributedDataParallel(
                _Through(modules), broadcast_buffers=False, find_unused_parameters=True
            )

    def backward(self, views: Sequence[Tensor], grads: Sequence[Tensor | None], world: World) -> None:
        """Backward of this rank's rows of the gradients at the views, then averages the gradients of all parameters."""
        rows = [
            (view, torch.zeros_like(view) if grad is None else world.size * world.own(grad).to(view.dtype))
            for view, grad in zip(views, grads, strict=True)
            if view.requires_grad
        ]
        moved = [parameter for parameter in self.parameters if parameter.grad is not None]
        edge = _Edge.apply(*moved) if moved else torch.zeros((), device=views[0].device, requires_grad=True)
        sent = self.module(edge, *(view for view, _ in rows))
        torch.autograd.backward(sent, [torch.zeros_like(edge), *(grad for _, grad in rows)])


class _Through(nn.Module):
    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.held = nn.ModuleList(modules)

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        return values


class _Edge(torch.autograd.Function):
    """Connects parameters with the graph without giving them a gradient."""

    @staticmethod
    def forward(ctx: Any, *parameters: Tensor) -> Tensor:
        ctx.count = len(parameters)
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        count: int = ctx.count
        return (None,) * count


def synchronised(module: nn.Module, device: str, world: World) -> nn.Module:
    """The module with batch statistics over the whole batch, if torch supports it: plain batch normalisation on GPUs.

    Otherwise warns that statistics are those of each rank's rows. Changes the module in place.
    """
    norms = {type(part) for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)}
    if world.size == 1 or not norms:
        return module
    # torch would also replace subclasses and lose their additional operations (timm's have an activation).
    plain = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
    if device.startswith("cuda") and norms <= plain:
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    if world.first:
        names = ", ".join(sorted(norm.__name__ for norm in norms))
        warnings.warn(
            f"the student has {names}: on {world.size} devices its batch statistics are those of each device's part of the "
            "batch; results differ from those on one device",
            LibraryWarning,  # which are kept in the record
            stacklevel=2,
        )
    return module
