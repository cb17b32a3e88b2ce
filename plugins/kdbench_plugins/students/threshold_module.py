"""A student's module whose weights are shrunk by soft thresholds. Imports torch: import it where a module is built."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdbench import Batch, StudentModule
from kdbench_plugins.students.threshold_components import SIDES, Side


def shrunk(weight: Tensor, threshold: Tensor) -> Tensor:
    """sign(W)·relu(|W| − threshold)."""
    return weight.sign() * (weight.abs() - threshold).relu()


def sparsity(weights: Sequence[Tensor], thresholds: Sequence[Tensor]) -> Tensor:
    """The share of entries with |W| ≤ threshold, of all weights together."""
    zeros = torch.stack([(w.abs() <= t).sum() for w, t in zip(weights, thresholds, strict=True)]).sum()
    return zeros / sum(w.numel() for w in weights)


class Called(nn.Module):
    """Calls a method of a module as a forward pass, in which `functional_call` can replace its weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, method: str, items: Tensor) -> Tensor:
        output: Tensor = getattr(self.module, method)(items)
        return output


class ThresholdModule(nn.Module):
    """A student's module, each of whose components has a threshold sigmoid(s) that is learned with the weights.

    s is `rate` times a parameter: Adam moves every parameter by about the learning rate, which is made for weights. In
    training, the thresholds of a tower are held as soon as its sparsity reaches its target: without a gradient, and with the
    value of that moment, which Adam's momentum does not change.
    """

    reached: Tensor
    held: Tensor

    def __init__(
        self,
        student: StudentModule,
        components: Mapping[Side, Sequence[Sequence[str]]],
        targets: Mapping[Side, float],
        start: float,
        rate: float,
        pressure: float,
    ) -> None:
        super().__init__()
        self.called = Called(cast(nn.Module, student))
        self.targets, self.rate, self.pressure = dict(targets), rate, pressure
        # Component by component: the names of its weights, and the places of each tower's components.
        self.names = [list(names) for side in SIDES for names in components[side]]
        ends = [len(components["image"]), len(self.names)]
        self.places: dict[Side, range] = {"image": range(ends[0]), "text": range(*ends)}
        self.raw = nn.ParameterList(nn.Parameter(torch.tensor(math.log(start / (1 - start)) / rate)) for _ in self.names)
        # Whether each tower has reached its target, and s of each component as it was then, until then as it is.
        self.register_buffer("reached", torch.zeros(len(SIDES), dtype=torch.bool))
        self.register_buffer("held", torch.stack([self.rate * raw.detach() for raw in self.raw]))

    @property
    def student(self) -> Any:
        return self.called.module

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.student.logit_scale
        return scale

    @property
    def logit_bias(self) -> Tensor | None:
        bias: Tensor | None = getattr(self.student, "logit_bias", None)
        return bias

    def encode_image(self, images: Tensor) -> Tensor:
        return self._encode("image", images)

    def encode_text(self, texts: Tensor) -> Tensor:
        return self._encode("text", texts)

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        """Both embeddings."""
        return self.encode_image(images), self.encode_text(texts)

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:  # noqa: ARG002
        """−pressure·Σ s over the thresholds that are not held: a force that raises them whatever they are.

        STR (Kusupati et al., ICML 2020) has weight decay of s for it, which pulls less the nearer a threshold comes to ½.
        """
        free = [torch.where(self._reached(side), 0.0, self.rate * self.raw[p]) for side in SIDES for p in self.places[side]]
        return -self.pressure * torch.stack(free).sum()

    def sparsities(self) -> dict[Side, float]:
        """The sparsity of each tower."""
        with torch.no_grad():
            return {side: float(self._sparsity(side)) for side in SIDES}

    def shrink(self, module: nn.Module) -> None:
        """Writes the shrunk weights, with their zeros, into a copy of the student's module."""
        into = dict(module.named_parameters())
        with torch.no_grad():
            for side in SIDES:
                for name, value in self._weights(side).items():
                    into[name].copy_(value)

    def _encode(self, side: Side, items: Tensor) -> Tensor:
        if self.training:
            self._hold(side)
        weights = {f"module.{name}": value for name, value in self._weights(side).items()}
        vectors: Tensor = functional_call(self.called, weights, (f"encode_{side}", items))
        return vectors

    def _hold(self, side: Side) -> None:
        """Holds the thresholds of a tower from the moment that it reaches its target."""
        with torch.no_grad():
            before = self._reached(side)
            for place in self.places[side]:
                self.held[place] = torch.where(before, self.held[place], self.rate * self.raw[place])
            self.reached[SIDES.index(side)] = before | (self._sparsity(side) >= self.targets[side])

    def _reached(self, side: Side) -> Tensor:
        return self.reached[SIDES.index(side)].clone()  # later passes of the same step may change the buffer

    def _weights(self, side: Side) -> dict[str, Tensor]:
        """The shrunk weights of a tower by name."""
        thresholds = self._thresholds(side)
        return {
            name: shrunk(self.student.get_parameter(name), thresholds[place])
            for place in self.places[side]
            for name in self.names[place]
        }

    def _thresholds(self, side: Side) -> dict[int, Tensor]:
        """sigmoid(s) of each component of a tower."""
        reached = self._reached(side)
        return {
            place: torch.where(reached, self.held[place].clone(), self.rate * self.raw[place]).sigmoid()
            for place in self.places[side]
        }

    def _sparsity(self, side: Side) -> Tensor:
        """Of all its components together, the share of entries that are zero."""
        thresholds = self._thresholds(side)
        names = [(name, threshold) for place, threshold in thresholds.items() for name in self.names[place]]
        return sparsity([self.student.get_parameter(name) for name, _ in names], [threshold for _, threshold in names])
