"""`mtkd_rl`: a trained agent weights the teachers per sample. MTKD-RL (Yang et al., AAAI 2025, arXiv 2502.18510)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from kdbench_plugins.strategies.mtkd_agent import Learner

Rate = Annotated[float, Field(gt=0)]


class MtkdRl:
    """w = (head + (1 − σ(CE))/(T−1) + σ(KL))/3, [T, B], σ over teachers; equal weights in the first epoch.

    head [B, T] is the agent's output: the concatenated [cos(P_t z, z_t), KL_t, CE_t, z_t, probability row] of all teachers
    through linear 128, ReLU, linear T and softmax. z and z_t are the student's and the teacher's embeddings of the sample's
    image and text; cos is averaged over both. CE_t is the teacher's cross-entropy against the true pairs, KL_t the divergence
    of its in-batch distribution from the student's. A probability row holds the sample's own pair first and the others
    in descending order, because batches are shuffled and columns have no meaning.

    The reward r_b is −(task loss + Σ_t w ℓ_t) of a sample, z-scored over the batch and clamped to [0, 1]. As in the authors'
    code, the agent minimises the mean of −r_b·log w over samples and teachers, with the gradient through head: after `every`
    steps and at the end of an epoch, one step of Adam (`lr`) for each batch since the last update. All teachers of a sample
    have the same reward, so equal weights are the optimum: on rewarded samples, the agent learns to compensate the other
    two terms of w.

    P_t are linear maps of the strategy, one per tower, trained to increase the cosines by a separate Adam (`map_lr`), one
    step per batch. Initial weights of both are drawn at the first step. Between updates the strategy keeps the states of up
    to `every` batches, B·Σ_t(3 + 2d_t + B) floats each: 13 MB for 10 batches of 256 and two teachers of width 192.
    """

    one_tower = False

    def __init__(self, *, lr: Rate = 1e-3, map_lr: Rate = 1e-3, every: Annotated[int, Field(ge=1)] = 10) -> None:
        self.lr, self.map_lr, self.every = lr, map_lr, every
        self.epoch = 0
        self.agent: Learner | None = None
        self.maps: Learner | None = None
        self.gathered: list[dict[str, Tensor]] = []  # states [B, S], given [B, T] and rewards [B] of a batch
        self.shown: dict[str, Tensor] = {}

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        from kdbench_plugins.strategies.mtkd_agent import Agent, Learner, drawn
        from kdbench_plugins.strategies.mtkd_state import divergences, given_weights, rewards_of, states_of

        losses, teachers = signal.losses, len(signal.teachers)
        if teachers == 1:
            return losses.new_ones(1)
        cosines = self._mapped(signal)
        kl = divergences(signal)
        states, given = states_of(signal, cosines, kl), given_weights(signal.truth_losses.T, kl).float()
        if self.agent is None:
            self.agent = Learner(drawn(Agent(states.shape[1], teachers), signal.generator), self.lr)
        self.agent.to(losses.device)
        with torch.no_grad():
            head = self.agent.module(states)
        weights: Tensor = ((head + given) / 3).T.to(losses)
        if self.epoch == 0:
            weights = torch.full_like(weights, 1 / teachers)
        rewards = rewards_of(signal.task_losses + (weights * losses).sum(dim=0)).float()
        self.gathered.append({"states": states, "given": given, "rewards": rewards})
        if len(self.gathered) >= self.every:
            self._learn()
        self.shown = {f"head/{name}": mean for name, mean in zip(signal.teachers, head.mean(dim=0), strict=True)}
        self.shown["cosine"] = cosines.mean()
        return weights

    def _mapped(self, signal: Signal) -> Tensor:
        """The cosines [B, T] of P_t z and z_t, followed by one training step of the maps."""
        import torch

        from kdbench_plugins.strategies.mtkd_agent import Learner, Maps, drawn

        student, teachers = signal.embeddings.float(), [embeddings.float() for embeddings in signal.teacher_embeddings]
        if self.maps is None:
            shapes = [(2, embeddings.shape[2], student.shape[2]) for embeddings in teachers]
            self.maps = Learner(drawn(Maps(shapes), signal.generator), self.map_lr)
        self.maps.to(student.device)
        with torch.enable_grad():
            cosines: Tensor = self.maps.module(student, teachers)
            self.maps.step(-cosines.mean())
        return cosines.detach()

    def _learn(self) -> None:
        import torch

        from kdbench_plugins.strategies.mtkd_state import agent_loss

        assert self.agent is not None
        device = next(self.agent.module.parameters()).device
        for batch in self.gathered:
            states, given, rewards = (batch[name].to(device) for name in ("states", "given", "rewards"))
            with torch.enable_grad():
                self.agent.step(agent_loss(self.agent.module(states), given, rewards))
        self.gathered = []

    def end_epoch(self, validation: dict[str, float] | None) -> None:  # noqa: ARG002
        if self.gathered:
            self._learn()
        self.epoch += 1

    def report(self) -> dict[str, float]:
        """`head/<teacher>`: the agent's own weights; `cosine`: cosines of P_t z and z_t; both averaged over the batch."""
        return {name: float(value) for name, value in self.shown.items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "agent": self.agent.state_dict() if self.agent else None,
            "maps": self.maps.state_dict() if self.maps else None,
            "gathered": [dict(batch) for batch in self.gathered],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        from kdbench_plugins.strategies.mtkd_agent import Agent, Learner, Maps

        self.epoch, self.gathered = state["epoch"], [dict(batch) for batch in state["gathered"]]
        self.agent = self.maps = None
        if state["agent"] is None:
            return
        weights, maps = state["agent"]["weights"], state["maps"]["weights"]
        self.agent = Learner(Agent(weights["hidden"].shape[1], len(weights["bias"])), self.lr)
        self.maps = Learner(Maps([maps[f"maps.{position}"].shape for position in range(len(maps))]), self.map_lr)
        self.agent.load_state_dict(state["agent"])
        self.maps.load_state_dict(state["maps"])


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "mtkd_rl",
            MtkdRl,
            "an agent, rewarded by the student's loss, weights the teachers per sample (MTKD-RL)",
            formula="w = (agent(state) + (1 − σ(CE))/(T−1) + σ(KL))/3, agent: min −r·log w, r = −(task loss + Σ_t w_t ℓ_t)",
            latex=(
                r"w = \frac{1}{3} \left(\mathrm{agent}(\mathrm{state}) + \frac{1 - \sigma(\mathrm{CE})}{T - 1} "
                r"+ \sigma(\mathrm{KL})\right), \quad \text{agent: } \min -r \log \, w, "
                r"\quad r = -\left(\text{task loss} + \sum_t w_t \ell_t\right)"
            ),
            source="MTKD-RL, Yang et al., AAAI 2025",
            status="published",
            waives={"permuting teachers permutes weights": "the agent reads all teachers at once, each with its own weights"},
        )
    ]
