"""A weighting of the teachers' Gramian with state that depends on earlier Gramians."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kdbench import Signal
from kdbench_plugins.strategies.gramian_weighting import GramianWeighting

if TYPE_CHECKING:
    from torch import Tensor


class RememberingWeighting(GramianWeighting):
    """A GramianWeighting with state: the weighting's buffers and the named `attributes`, numbers or numpy arrays."""

    def __init__(
        self,
        make: Callable[[int], Any],
        normalize: bool = True,
        statistic: Callable[[Tensor], Tensor] | None = None,
        attributes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(make, normalize, statistic)
        self._attributes = attributes
        self._teachers = 0

    def weigh(self, signal: Signal) -> Tensor:
        self._teachers = len(signal.teachers)
        return super().weigh(signal)

    def state_dict(self) -> dict[str, Any]:
        import numpy as np
        import torch

        if self._weighting is None:
            return {}
        held = {name: getattr(self._weighting, name) for name in self._attributes}
        return {
            "teachers": self._teachers,
            "buffers": {name: buffer.clone() for name, buffer in self._weighting.state_dict().items()},
            "attributes": {k: torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for k, v in held.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        self._weighting = None
        if not state:
            return
        self._teachers = state["teachers"]
        self._weighting = self._make(self._teachers)
        self._ask(torch.eye(self._teachers, dtype=torch.float64))  # its state is allocated at the first call
        self._weighting.load_state_dict(state["buffers"])
        for name, value in state["attributes"].items():
            setattr(self._weighting, name, value.numpy().copy() if isinstance(value, torch.Tensor) else value)
