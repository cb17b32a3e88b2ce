"""`rl_select`: a policy selects teachers per sample. RL-KD (Yuan et al., AAAI 2021, arXiv 2012.06048)."""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import KdbenchError, Offer, Signal, Strategy, hookimpl
from kdbench_plugins.strategies.rl_baseline import Baseline

if TYPE_CHECKING:
    from torch import Tensor

Share = Annotated[float, Field(ge=0, lt=1)]
RECALLS = ("image_retrieval_recall@1", "text_retrieval_recall@1")


class RlSelect:
    """Equal weights for the teachers that a policy selects for each sample; for all teachers if it selects none.

    The features F[t,b] are the student's embeddings of the sample's image and text; the teacher's in-batch probabilities, the
    sample's own pair first and the others in descending order; and the teacher's cross-entropy as CE/(CE + log B). Initially
    A = 0 and every teacher is selected with probability `initial`; with 1, all are always selected, and the weights are
    bit-identical to those of `equal`.

    The reward r of a sample is r1 = −L_CE, r2 = −L_CE − L_KD or r3 = γ·r2 + (1 − γ)·R@1. L_KD is the mean distillation loss
    over the teachers selected for it; R@1 is the mean of both directions at the last validation, 0 before the first. L_CE is
    the task loss after the update caused by the selection. To avoid another forward pass it is taken as the mean task loss of
    the next batch, the same for all samples. The policy therefore learns from a batch at the start of the next step:

        θ ← θ + lr · mean_b Σ_t ((r_b − baseline)/scale) ∇ log π(a[t,b] | F[t,b]),

    where the baseline is a running mean of the reward and the scale a running root mean square of its distance from the
    baseline, which makes `lr` independent of the size of the losses. Without `standardize` the scale is 1.

    For the fraction `warmup` of the training, the student learns from the average of all teachers and the policy is not
    trained. For the fraction `pretrain` after it, the student still does, but the policy is trained on selections that are
    not applied. After that, they are. Raises KdbenchError if no step is left for the policy to act.
    """

    one_tower = False

    def __init__(
        self,
        *,
        reward: Literal["r1", "r2", "r3"] = "r2",
        lr: Annotated[float, Field(gt=0)] = 1.0,
        initial: Annotated[float, Field(gt=0, le=1)] = 0.7,
        momentum: Share = 0.9,
        standardize: bool = True,
        gamma: Annotated[float, Field(ge=0, le=1)] = 0.5,
        warmup: Share = 0.1,
        pretrain: Share = 0.1,
    ) -> None:
        if warmup + pretrain >= 1:
            raise KdbenchError(f"rl_select: warmup {warmup} and pretrain {pretrain} leave the policy no step to act in")
        self.reward, self.lr, self.gamma = reward, lr, gamma
        self.begins, self.acts = warmup, warmup + pretrain
        self.bias = inf if initial == 1 else log(initial / (1 - initial))
        self.baseline = Baseline(momentum, standardize)
        self.validation = 0.0
        self.policy: tuple[Tensor, Tensor] | None = None  # A [T, n] and b [T]
        self.pending: dict[str, Tensor] = {}  # features, actions and kd_losses of the batch before
        self.probs: dict[str, float] = {}

    def weigh(self, signal: Signal) -> Tensor:
        from kdbench_plugins.strategies import rl_policy

        equal = signal.losses.new_full(signal.losses.shape, 1 / len(signal.teachers))
        if signal.batch.progress < self.begins:
            return equal
        features = rl_policy.features(signal.embeddings, signal.teacher_probs, signal.truth_losses).to(signal.losses)
        if self.policy is None:
            self.policy = (
                features.new_zeros(features.shape[0], features.shape[2]),
                features.new_full(features.shape[:1], self.bias),
            )
        if self.pending:
            self._learn(float(signal.task_losses.mean()), signal.losses)
        probs = rl_policy.selection_probs(*self.policy, features)
        actions = rl_policy.drawn(probs, signal.generator)
        kd_losses = rl_policy.selected_losses(signal.losses, actions)
        self.pending = {"features": features, "actions": actions, "kd_losses": kd_losses}
        self.probs = {f"P({name})": mean for name, mean in zip(signal.teachers, probs.mean(dim=1).tolist(), strict=True)}
        if signal.batch.progress < self.acts:
            return equal
        return rl_policy.selection_weights(actions).to(signal.losses)

    def _learn(self, task_loss: float, like: Tensor) -> None:
        """One step of REINFORCE on the previous batch, whose task loss is known now."""
        from kdbench_plugins.strategies import rl_policy

        assert self.policy is not None
        A, b = (part.to(like) for part in self.policy)
        features, actions, kd_losses = (self.pending[name].to(like) for name in ("features", "actions", "kd_losses"))
        rewards = rl_policy.rewards(self.reward, task_loss, kd_losses, self.validation, self.gamma)
        advantages = self.baseline.advantages(rewards)
        probs = rl_policy.selection_probs(A, b, features)
        grad_A, grad_b = rl_policy.policy_gradient(advantages, actions, probs, features)
        self.policy = A + self.lr * grad_A, b + self.lr * grad_b

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        if validation is None or self.reward != "r3":
            return
        missing = [name for name in RECALLS if name not in validation]
        if missing:
            raise KdbenchError(f"rl_select: reward r3 needs {' and '.join(missing)}; add 1 to evaluate.recall_at")
        self.validation = sum(validation[name] for name in RECALLS) / len(RECALLS)

    def report(self) -> dict[str, float]:
        """Each teacher's mean probability of selection in the current batch."""
        return self.probs

    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": None if self.policy is None else list(self.policy),
            "pending": self.pending,
            "baseline": self.baseline.state_dict(),
            "validation": self.validation,
            "probs": self.probs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.policy = None if state["policy"] is None else (state["policy"][0], state["policy"][1])
        self.pending = state["pending"]
        self.baseline.load_state_dict(state["baseline"])
        self.validation = state["validation"]
        self.probs = state["probs"]


def check(**parameters: Any) -> None:
    RlSelect(**parameters)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "rl_select",
            RlSelect,
            "a policy, trained by REINFORCE, selects teachers per sample (RL-KD)",
            formula="w[t,b] = a[t,b]/Σ_j a[j,b], a[t,b] ~ Bernoulli(sigmoid(A_t·F[t,b] + b_t))",
            latex=(
                r"w_{t,b} = \frac{a_{t,b}}{\sum_j a_{j,b}}, "
                r"\quad a_{t,b} \sim \mathrm{Bernoulli}(\mathrm{sigmoid}(A_t \cdot F_{t,b} + b_t))"
            ),
            source="RL-KD, Yuan et al., AAAI 2021",
            status="published",
            check=check,
            waives={"permuting teachers permutes weights": "draws per teacher: permuting permutes in distribution only"},
        )
    ]
