"""One run on many devices: what its ranks exchange, and how they reach the gradient of one process.

The loss of a step may be any function of the whole batch; in retrieval every image is compared with every text. Let
V = [V_1; …; V_N] be the student's outputs, of which rank r has computed the rows V_r. The chain rule gives

    dL/dθ = Σ_r J_rᵀ ∂L/∂V_r + (what reaches θ above the outputs: a logit scale, heads, an auxiliary loss),

where J_r = ∂V_r/∂θ. Every rank therefore gathers V, builds all losses of the whole batch on a detached copy of it (cheap
beside the student), takes there whatever gradients a strategy reads, and sends the rows ∂L/∂V_r through its own share of
the student in one ordinary backward. This equals the gradient of a differentiable gather, whose backward would add up the
same rows of N equal losses and divide by N.

DistributedDataParallel averages the ranks' gradients, so the rows are multiplied by N to make the mean a sum. Parameters
above the outputs have the same gradient on every rank, since all ranks see the same batch; it is computed before the
backward that averages, and averaging leaves it as it is. `Relay` combines both.

The result is that of one process at the same global batch, up to the order of sums, with two exceptions. What the student
draws, say for dropout, differs between ranks, and so from one process. Batch statistics are those of a rank's share, unless
`synchronised` can make them the whole batch's.
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

from kdbench.errors import KdbenchError, KdbenchWarning

# A rank may wait hours for another that encodes or reads. The launcher ends ranks that wait for a dead one.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """Which of `size` ranks this process is. A world of one exchanges nothing."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this rank writes checkpoints and records."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """The rows of a batch of `total` that belong to this rank: shares differ by one at most, and may be empty."""
        return slice(self.rank * total // self.size, (self.rank + 1) * total // self.size)

    def read(self, total: int) -> slice:
        """The rows that this rank reads: its share, or the first row if that is empty.

        The student then never gets an empty batch, and every rank takes part in every exchange.
        """
        share = self.share(total)
        return share if share.start < share.stop else slice(0, min(1, total))

    def gather(self, values: Tensor, total: int) -> Tensor:
        """All rows [total, …], in order and without gradient, from those that each rank has read."""
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
        """Of rows [total, …], those this rank has read; zeros if its share is empty and it read one all the same."""
        share, read = self.share(len(values)), self.read(len(values))
        return values[read] if share == read else torch.zeros_like(values[read])

    def sum(self, values: Tensor) -> Tensor:
        """Over the ranks."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def agreed(self, value: Tensor) -> Tensor:
        """Rank 0's value. Ranks compute the same by themselves, but GPUs may add up in another order."""
        if self.size > 1:
            value = value.contiguous().clone()
            dist.broadcast(value, 0)
        return value

    def told(self, value: Any) -> Any:
        """Rank 0's value, of any type that can be pickled; the other ranks' values are ignored."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def agree_on_buffers(self, module: nn.Module) -> None:
        """Gives all ranks rank 0's buffers, such as the running statistics of batch normalisation."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)


ALONE = World()


@dataclass(frozen=True)
class Rank:
    """A process of a run before it joins the others: its `index` among `size`, and torch's `init_method`."""

    index: int = 0
    size: int = 1
    init_method: str = "env://"

    @classmethod
    def of_environment(cls) -> Rank:
        """As torchrun sets it, or as torch.distributed has been initialised (Ray Train).

        Raises KdbenchError if the environment has neither.
        """
        if dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        try:
            return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        except (KeyError, ValueError) as error:
            raise KdbenchError(f"no rank: {error} of the environment; start this with torchrun") from error

    def device(self, device: str) -> str:
        """This rank's: on a machine with GPUs each has its own."""
        return f"cuda:{os.environ.get('LOCAL_RANK', self.index)}" if device == "cuda" and self.size > 1 else device

    @contextmanager
    def joined(self, device: str) -> Iterator[World]:
        """The world, with torch.distributed initialised for the duration. Every rank must enter and leave."""
        if self.size == 1:
            yield ALONE
        elif dist.is_initialized():
            yield World(self.index, self.size)
        else:
            backend = "nccl" if device.startswith("cuda") else "gloo"
            if backend == "nccl":
                torch.cuda.set_device(device)
            dist.init_process_group(backend, self.init_method, PATIENCE, rank=self.index, world_size=self.size)
            # Not after an error: shutting down during a collective may hang, and the launcher ends the others.
            yield World(self.index, self.size)
            dist.destroy_process_group()


class Relay:
    """DistributedDataParallel around a student and its heads, used just before the one backward through the student.

    The wrapped module returns the student's outputs unchanged. By then the losses' own backward, on detached copies, has
    left gradients at parameters above the outputs. DistributedDataParallel counts a parameter as ready once, so it must not
    see those arrive one by one: an edge without gradient ties them to the outputs, they count as used, and are averaged as
    they are. A parameter that nothing has used keeps no gradient, as in one process.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about a coming rename, which older torch does not have
            # Buffers are not kept equal here: training does not read them, and ranks agree on them before evaluation.
            self.module = nn.parallel.DistributedDataParallel(
                _Through(modules), broadcast_buffers=False, find_unused_parameters=True
            )

    def backward(self, views: Sequence[Tensor], grads: Sequence[Tensor | None], world: World) -> None:
        """Sends this rank's rows of the gradients at the whole batch's views, and averages all parameters' gradients."""
        rows = [
            (view, torch.zeros_like(view) if grad is None else world.size * world.own(grad).to(view.dtype))
            for view, grad in zip(views, grads, strict=True)
            if view.requires_grad
        ]
        edge = _Edge.apply(*(p for p in self.parameters if p.grad is not None))
        sent = self.module(edge, *(view for view, _ in rows))
        torch.autograd.backward(sent, [torch.zeros_like(edge), *(grad for _, grad in rows)])


class _Through(nn.Module):
    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.held = nn.ModuleList(modules)

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        return values


class _Edge(torch.autograd.Function):
    """Reaches parameters in a backward and gives them no gradient."""

    @staticmethod
    def forward(ctx: Any, *parameters: Tensor) -> Tensor:
        ctx.count = len(parameters)
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        count: int = ctx.count
        return (None,) * count


def synchronised(module: nn.Module, device: str, world: World) -> nn.Module:
    """The module with batch statistics of the whole batch, if torch supports it: plain batch normalisation on GPUs.

    Otherwise warns that statistics are those of each rank's share. Changes the module in place.
    """
    norms = {type(part) for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)}
    if world.size == 1 or not norms:
        return module
    # torch would replace subclasses too, and lose what they do beside normalising (timm's have an activation).
    plain = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
    if device.startswith("cuda") and norms <= plain:
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    if world.first:
        names = ", ".join(sorted(norm.__name__ for norm in norms))
        warnings.warn(
            f"the student has {names}: on {world.size} devices its batch statistics are those of each one's share of the "
            "batch; results differ from those on one device",
            KdbenchWarning,
            stacklevel=2,
        )
    return module
