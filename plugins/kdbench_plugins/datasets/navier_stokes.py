"""The dataset `navier_stokes`: two-dimensional vorticity on the torus, computed here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from kdbench import KdbenchError, Offer, SplitName, hookimpl, nearest
from kdbench.tasks.forecasting.fields import FieldDataset, FieldSplit
from kdbench_plugins.datasets.frames import LazyFrames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1  # raise when this code computes other fields for the same parameters
WHOSE = "dataset navier_stokes"
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
POINTS = 1 << 14  # of the trajectories that are computed together: what they need stays in a core's cache
WHOLE = 1e-9  # how far from a whole number the steps between two frames may be, for the rounding of decimal fractions

Grid = Annotated[int, Field(ge=8, le=1024, multiple_of=2)]
# Bounds that no data comes near: records of others name these numbers, too.
Count = Annotated[int, Field(ge=1, le=10**6)]
Frames = Annotated[int, Field(ge=1, le=10**4)]
MOST_STEPS = 10**5  # of the solver, between two frames
Positive = Annotated[float, Field(gt=0)]


class NavierStokes:
    """Vorticity of an incompressible fluid: ∂ω/∂t + u·∇ω = ν Δω + 0.1 (sin + cos)(2π(x + y)).

    It starts from N(0, 7³ (−Δ + 49)^−2.5), as in Li et al. 2021 (arXiv 2010.08895, §5.3); the step, by Heun, is of second
    order, and the draws are others.

    `viscosity` is ν; `grid` the points of a side; `train`, `validation` and `test` are numbers of trajectories. Frames are
    `interval` units of time apart, the first one `interval` after the initial field; `history` of them are given, the next
    `horizon` are to be forecast, and `beyond` more serve rollouts. `time_step` is the solver's and divides `interval`.

    Each trajectory has its own seed, made of `seed`, its split and its number: a different number of trajectories adds some or
    leaves some out and changes no other. Without `forcing` the fluid comes to rest.
    """

    licence = "computed by kdbench (MIT)"

    def __init__(
        self,
        *,
        viscosity: Annotated[float, Field(ge=0)] = 1e-3,
        grid: Grid = 64,
        train: Count = 1000,
        validation: Count = 100,
        test: Count = 200,
        history: Frames = 10,
        horizon: Frames = 10,
        beyond: Annotated[int, Field(ge=0, le=10**4)] = 0,
        time_step: Positive = 0.01,
        interval: Positive = 1.0,
        forcing: bool = True,
        seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.history, self.horizon = history, horizon
        self._counts: dict[SplitName, int] = {"train": train, "validation": validation, "test": test}
        self._motion = Motion(viscosity, grid, history + horizon + beyond, time_step, _steps(time_step, interval), forcing)
        self._seed = seed
        made_of = {
            "dataset": "navier_stokes",
            "format": FORMAT,
            "counts": self._counts,
            "motion": vars(self._motion),
            "seed": seed,
            "computed by": [version("numpy"), version("torch")],
        }
        self.fingerprint = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def split(self, name: SplitName) -> FieldSplit:
        """One split; its frames are computed whenever they are read."""
        if name not in SPLITS:
            raise KdbenchError(f"{WHOSE} has no split {name!r}: {nearest(name, SPLITS)}")
        ids = [f"{name}-{number}" for number in range(self._counts[name])]
        seeds = [(self._seed, SPLITS.index(name), number) for number in range(len(ids))]
        return FieldSplit(Computed(self._motion, seeds, ids), ids)


@dataclass(frozen=True)
class Motion:
    """How a fluid moves, and which frames of it are taken: `frames`, each `steps` steps after the one before."""

    viscosity: float
    grid: int
    frames: int
    step: float
    steps: int
    forcing: bool


class Computed(LazyFrames):
    """Frames [n, frames, 1, grid, grid] of one trajectory per seed. They do not depend on which are read together."""

    def __init__(self, motion: Motion, seeds: Sequence[Sequence[int]], ids: Sequence[str]) -> None:
        super().__init__((len(seeds), motion.frames, 1, motion.grid, motion.grid), max(1, POINTS // motion.grid**2))
        self.motion, self.seeds, self.ids = motion, seeds, ids

    def rows(self, places: NDArray[Any]) -> NDArray[np.float32]:
        import numpy as np
        import torch

        from kdbench_plugins.datasets.random_fields import random_spectra
        from kdbench_plugins.datasets.vorticity import Flow, Torus, diagonal_waves

        motion = self.motion
        found = np.empty((len(places), *self.shape[1:]), dtype=np.float32)
        torus = Torus(motion.grid)
        flow = Flow(torus, motion.viscosity, diagonal_waves(motion.grid) if motion.forcing else None)
        with torch.inference_mode():
            for start in range(0, len(places), self.block):
                few = places[start : start + self.block].tolist()
                spectrum = random_spectra(torus, [self.seeds[place] for place in few])
                for frame in range(motion.frames):
                    spectrum = flow.advance(spectrum, motion.step, motion.steps)
                    fields = torus.field(spectrum).numpy()
                    self._refuse_infinite(fields, frame, few)
                    found[start : start + len(few), frame, 0] = fields
        return found

    def _refuse_infinite(self, fields: NDArray[np.float64], frame: int, places: Sequence[int]) -> None:
        """Raises KdbenchError with the first trajectory that is no longer finite."""
        import numpy as np

        lost = ~np.isfinite(fields).all((-2, -1))
        if lost.any():
            motion, which = self.motion, self.ids[places[int(lost.argmax())]]
            time = (frame + 1) * motion.steps * motion.step
            raise KdbenchError(
                f"{WHOSE}: time_step: found {motion.step:g}, with which trajectory {which} is not finite at time {time:g}; "
                f"expected a smaller one for a grid of {motion.grid} and a viscosity of {motion.viscosity:g}, such as "
                f"{motion.step / 4:g}"
            )


def _steps(time_step: float, interval: float) -> int:
    """The number of steps between two frames. Raises KdbenchError if it is not whole."""
    steps = max(1, round(interval / time_step))
    if steps > MOST_STEPS:
        raise KdbenchError(f"{WHOSE}: time_step: found {steps:,} steps between frames; expected at most {MOST_STEPS:,}")
    if not _divides(time_step, interval, steps):
        short = (float(f"{interval / count:g}") for count in range(steps, steps + 100))
        near = next((step for step in short if _divides(step, interval, round(interval / step))), interval / steps)
        raise KdbenchError(
            f"{WHOSE}: time_step: found {time_step:g} with an interval of {interval:g} between frames; expected a step that "
            f"divides it, such as {near}"
        )
    return steps


def _divides(time_step: float, interval: float, steps: int) -> bool:
    return abs(interval / time_step - steps) <= WHOLE * steps


def check(*, time_step: float, interval: float, **_: Any) -> None:
    """Raises KdbenchError if the time step does not divide the interval."""
    _steps(time_step, interval)


SMALL: dict[str, Any] = {"grid": 16, "train": 8, "validation": 4, "test": 4, "interval": 0.1, "time_step": 0.02}


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """Few trajectories, but as many as a batch of a smoke run, on the same grid: a forecaster may be made for it."""
    return params | SMALL | {"grid": params["grid"], "train": 64}


@hookimpl
def kdbench_datasets() -> list[Offer[FieldDataset]]:
    return [
        Offer(
            "navier_stokes",
            NavierStokes,
            "two-dimensional vorticity on the torus, computed by a pseudo-spectral solver, for forecasting",
            check,
            example=SMALL,
            shown={"viscosity": 1e-3, "grid": 64},
            smoke=smoke,
            task="forecasting",
        )
    ]
