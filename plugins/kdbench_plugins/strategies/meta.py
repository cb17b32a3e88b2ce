"""`meta`: a network weights the teachers per sample and learns what lowers the task loss. After MMKD (arXiv 2306.06634)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from kdbench_plugins.strategies.mtkd_agent import Learner

Count = Annotated[int, Field(ge=1)]


class Meta:
    """Weights w [T, B] by a network of each sample's in-batch probabilities, of all teachers and of the student.

    A model's part of the input is its probability of the sample's own pair and the `candidates` largest others, in descending
    order. The network is that of MMKD's code: linear to half the width, ReLU, linear to T, softmax.

    Every `every` steps, after its weights have been used, the network takes a step of Adam (`lr`, `weight_decay`) on the task
    loss L after a virtual step of the student on the weighted teachers. MMKD differentiates through two such steps, a step on
    the task, and the student's parameters. Here the virtual step is of the student's embeddings z and its size goes to 0:
    z' = z − η Σ_t w_t g_t, L(z') ≈ L(z) − η Σ_{t,b} w[t,b]·⟨∂L/∂z_b, g_t,b⟩, where g_t,b are the rows of sample b of the
    gradient of teacher t's mean loss. The network thus learns to prefer teachers whose gradient at a sample agrees with that of
    the task. This is a reconstruction: curvature and what samples share in the student's parameters do not count.

    With `hard`, only samples of which the student's first candidate is wrong teach the network. MMKD keeps such samples in a
    buffer; here they are those of the batch. Products are divided by their mean size, which leaves the minimum where it is.
    """

    one_tower = False

    def __init__(
        self,
        *,
        lr: Annotated[float, Field(gt=0)] = 1e-3,
        weight_decay: Annotated[float, Field(ge=0)] = 1e-4,
        every: Count = 5,
        candidates: Count = 15,
        hard: bool = True,
    ) -> None:
        self.lr, self.weight_decay = lr, weight_decay
        self.every, self.candidates, self.hard = every, candidates, hard
        self.steps = 0
        self.network: Learner | None = None

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        from kdbench_plugins.strategies.mtkd_agent import drawn

        teachers = len(signal.teachers)
        if teachers == 1:
            return signal.losses.new_ones(1)
        states = self._states(signal)
        if self.network is None:
            self._begin(drawn(network(states.shape[1], teachers), signal.generator))
        assert self.network is not None
        self.network.to(states.device)
        with torch.no_grad():
            weights: Tensor = self.network.module(states).T.to(signal.losses)
        if self.steps % self.every == 0:
            self._learn(signal, states)
        self.steps += 1
        return weights

    def _states(self, signal: Signal) -> Tensor:
        """[B, (T + 1)·(1 + candidates)], fewer where the batch has fewer candidates."""
        import torch

        from kdbench_plugins.strategies.mtkd_state import own_pair_first

        rows = own_pair_first(torch.cat([signal.teacher_probs, signal.student_probs[None]]))
        return rows[:, :, : 1 + self.candidates].transpose(0, 1).flatten(1).float()

    def _learn(self, signal: Signal, states: Tensor) -> None:
        import torch

        assert self.network is not None
        counted = agreements(signal) * (missed(signal) if self.hard else 1.0)
        size = counted.abs().mean()
        if not torch.isfinite(size) or size == 0:
            return
        with torch.enable_grad():
            self.network.step(-(self.network.module(states) * (counted / size).T.float()).sum(dim=1).mean())

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "network": self.network.state_dict() if self.network else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.network = state["steps"], None
        if state["network"] is not None:
            weights = state["network"]["weights"]
            self._begin(network(weights["0.weight"].shape[1], len(weights["2.bias"]))).load_state_dict(state["network"])

    def _begin(self, module: Module) -> Learner:
        from kdbench_plugins.strategies.mtkd_agent import Learner

        self.network = Learner(module, self.lr, self.weight_decay)
        return self.network


def network(states: int, teachers: int) -> Module:
    """MMKD's LogitsWeight: states [B, S] to weights [B, T], rows summing to 1. Parameters are uninitialised."""
    from torch import nn

    hidden = max(1, states // 2)
    layers = nn.Linear(states, hidden, device="meta"), nn.ReLU(), nn.Linear(hidden, teachers, device="meta")
    return nn.Sequential(*layers, nn.Softmax(dim=1)).to_empty(device="cpu")


def agreements(signal: Signal) -> Tensor:
    """⟨∂L/∂z_b, g_t,b⟩ of each teacher and sample, [T, B], in float64."""
    shape = signal.embeddings.shape  # [O, B, …]
    products = (signal.gradients.double() * signal.task_gradient.double()).view(-1, shape[0], shape[1], shape[2:].numel())
    return products.sum(dim=(1, 3))


def missed(signal: Signal) -> Tensor:
    """1 for samples of which the student's first candidate is of another concept, else 0, [B]."""
    first = signal.student_probs.argmax(dim=1, keepdim=True)
    return 1.0 - signal.batch.same.gather(1, first)[:, 0].double()


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "meta",
            Meta,
            "a network weights the teachers per sample and learns what lowers the task loss after a virtual step",
            formula="w = σ(net(p_1 … p_T, p)),  net: min L(z − η Σ_t w_t g_t) for small η",
            latex=(
                r"w = \sigma(\mathrm{net}(p_1 \dots p_T, p)), "
                r"\quad \text{net: } \min L\left(z - \eta \sum_t w_t g_t\right) \text{ for small } \eta"
            ),
            source="MMKD, Zhang et al., ICME 2023, arXiv 2306.06634",
            status="reconstruction",
            waives={"permuting teachers permutes weights": "the network reads all teachers at once, each with its own weights"},
        )
    ]
