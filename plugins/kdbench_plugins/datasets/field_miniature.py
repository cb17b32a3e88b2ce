"""A miniature of `field_folder`: a few trajectories of `navier_stokes`, for trials and tests."""

from __future__ import annotations

from pathlib import Path

from kdbench_plugins.datasets.miniature import made_folder
from kdbench_plugins.datasets.navier_stokes import NavierStokes

COUNT, FRAMES, GRID = 20, 64, 16
AXES = "NTHW"
FORMAT = 1  # raise when this code writes another miniature


def field_miniature() -> Path:
    """The folder with the miniature, computed on first use."""
    return made_folder(f"field_folder-{FORMAT}", write_fields)


def write_fields(folder: Path) -> None:
    """Writes trajectories as one .npy file, float32 [COUNT, FRAMES, GRID, GRID]."""
    import numpy as np

    made = NavierStokes(grid=GRID, train=COUNT, history=1, horizon=FRAMES - 1, interval=0.1, time_step=0.05)
    np.save(folder / "fields.npy", made.split("train").frames[:][:, :, 0])
