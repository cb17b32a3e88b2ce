"""A moving average of a student's weights, evaluated and kept in their place (Polyak & Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average θ̄ ← d θ̄ + (1 − d) θ of all parameters and floating-point buffers of a module; other buffers are copied.

    `d` is min(decay, (1 + n) / (10 + n)) at update n, counted from 1, as in TensorFlow's ExponentialMovingAverage: the initial
    weights are forgotten even in short trainings.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.updates = 0
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Adds the module's current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the module has the averaged weights."""
        own = {name: value.detach().clone() for name, value in self.module.state_dict().items()}
        self._write(self.values)
        try:
            yield
        finally:
            self._write(own)

    def state_dict(self) -> dict[str, object]:
        """Its state for a checkpoint."""
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores the state from `state_dict`."""
        values = state["values"]
        assert isinstance(values, dict)
        self.updates = int(str(state["updates"]))
        for name, value in values.items():
            self.values[name].copy_(value)

    @torch.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, value in self.module.state_dict().items():
            value.copy_(values[name])
