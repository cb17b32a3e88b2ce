"""TorchJD's Gramian weightings as strategies: a builder for each, whose signature is the schema of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from kdbench import KdbenchError, Strategy
from kdbench_plugins.strategies.gramian_weighting import GramianWeighting
from kdbench_plugins.strategies.krum import Krum
from kdbench_plugins.strategies.remembering_weighting import RememberingWeighting

if TYPE_CHECKING:
    from torch import Tensor

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Build = TypeVar("Build", bound=Callable[..., Strategy])

NORMALIZE = """

Negative weights are set to 0 and the rest is divided by its sum, which would otherwise act as a hidden learning rate.
`normalize: false` returns the library's numbers for the Gramian, divided by the mean of its diagonal, unchanged."""


def weighting(build: Build) -> Build:
    """Adds the common part of the documentation to a builder's docstring."""
    build.__doc__ = inspect.cleandoc(build.__doc__ or "") + NORMALIZE
    return build


def library(name: str, **parameters: Any) -> Any:
    """An instance of a class of torchjd. Raises KdbenchError if torchjd or one of its extras is not installed."""
    try:
        from torchjd import aggregation, linalg, scalarization

        home = next(module for module in (aggregation, scalarization, linalg) if hasattr(module, name))
        return getattr(home, name)(**parameters)
    except ImportError as error:
        reason = f"{error}".rstrip(".")
        raise KdbenchError(f"torchjd: {name} cannot be made ({reason}); run pip install 'torchjd[full]'") from error


@weighting
def mgda(*, epsilon: Positive = 1e-3, max_iters: Count = 100, normalize: bool = True) -> Strategy:
    """The shortest convex combination of the gradients, by Frank-Wolfe steps until they are below `epsilon`; `ammkd` with
    C = 1 is the exact solution. Of teachers with equal gradients, the library selects the first."""
    return GramianWeighting(lambda _: library("MGDAWeighting", epsilon=epsilon, max_iters=max_iters), normalize)


@weighting
def upgrad(*, reg_eps: Positive = 1e-4, normalize: bool = True) -> Strategy:
    """The mean of the gradients, each projected onto the cone of directions that conflict with no gradient. `reg_eps` is
    added to the diagonal of the Gramian of trace 1."""
    return GramianWeighting(
        lambda _: library("UPGradWeighting", projector=library("QuadprogProjector", reg_eps=reg_eps)), normalize
    )


@weighting
def dualproj(*, reg_eps: Positive = 1e-4, normalize: bool = True) -> Strategy:
    """The mean gradient, projected onto the cone of directions that conflict with no gradient. `reg_eps` as in `upgrad`."""
    return GramianWeighting(
        lambda _: library("DualProjWeighting", projector=library("QuadprogProjector", reg_eps=reg_eps)), normalize
    )


@weighting
def cagrad(*, c: NotNegative = 0.5, normalize: bool = True) -> Strategy:
    """The direction within c·‖mean‖ of the mean gradient that improves the worst teacher most; c = 0 gives the mean itself.
    Without `normalize`, weights are 0 if the gradients can cancel."""
    return GramianWeighting(lambda _: library("CAGradWeighting", c=c), normalize)


@weighting
def pcgrad(*, normalize: bool = True) -> Strategy:
    """The sum of the gradients after each has lost its components that conflict with other gradients, removed one after
    another in random order."""
    return GramianWeighting(lambda _: library("PCGradWeighting"), normalize)


@weighting
def gradvac(*, beta: Share = 0.5, normalize: bool = True) -> Strategy:
    """Like `pcgrad`, but raises each cosine to its moving average with decay `beta` instead of to 0."""
    return RememberingWeighting(lambda _: library("GradVacWeighting", beta=beta), normalize)


@weighting
def imtl_g(*, normalize: bool = True) -> Strategy:
    """The direction with the same projection onto every gradient."""
    return GramianWeighting(lambda _: library("IMTLGWeighting"), normalize)


@weighting
def nash_mtl(
    *, max_norm: NotNegative = 1.0, update_weights_every: Count = 1, optim_niter: Count = 20, normalize: bool = True
) -> Strategy:
    """The Nash bargaining solution, Gw = 1/w, solved from the previous weights, initially equal ones. If the gradients
    combined by these conflict with a teacher, the library finds no solution and keeps them. `max_norm` bounds the length of
    the combined gradient, 0 for no bound; it affects the weights only without `normalize`.

    The library takes gradients but uses only their Gramian; it is given the square root of the Gramian."""
    return RememberingWeighting(
        lambda teachers: (
            library(
                "NashMTL",
                n_tasks=teachers,
                max_norm=max_norm,
                update_weights_every=update_weights_every,
                optim_niter=optim_niter,
            ).weighting
        ),
        normalize,
        root,
        ("prvs_alpha", "step"),
    )


@weighting
def aligned_mtl(*, scale_mode: Literal["min", "median", "rmse"] = "min", normalize: bool = True) -> Strategy:
    """The mean of the gradients after their principal components are scaled to one length."""
    return GramianWeighting(lambda _: library("AlignedMTLWeighting", scale_mode=scale_mode), normalize)


@weighting
def fairgrad(*, alpha: NotNegative = 2.0, max_iters: Count | None = None, normalize: bool = True) -> Strategy:
    """The α-fair solution, Gw = w^(−1/α). α = 0 gives the mean, 1 the solution of Nash-MTL; with larger α the teachers' gains
    become more equal."""
    return GramianWeighting(lambda _: library("FairGradWeighting", alpha=alpha, max_iters=max_iters), normalize)


@weighting
def krum(*, n_byzantine: Annotated[int, Field(ge=0)] = 0, n_selected: Count = 2, normalize: bool = True) -> Strategy:
    """Multi-Krum: the mean of the `n_selected` gradients nearest to their T − n_byzantine − 2 nearest neighbours."""
    return Krum(
        lambda _: library("KrumWeighting", n_byzantine=n_byzantine, n_selected=n_selected), n_byzantine, n_selected, normalize
    )


def root(gramian: Tensor) -> Tensor:
    """A symmetric R [T, T] with R Rᵀ = G: rows with the inner products of the gradients."""
    import torch

    values, vectors = torch.linalg.eigh(gramian)
    found: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return found
