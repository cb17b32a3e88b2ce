"""`rl_select`: a policy selects teachers for each sample. RL-KD (Yuan et al., AAAI 2021, arXiv 2012.06048)."""

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
    """w[t,b] = a[t,b] / Σ_j a[j,b], a[t,b] ~ Bernoulli(sigmoid(A_t·F[t,b] + b_t)); 1/T where nobody is selected.

    F[t,b] are the student's embeddings of the sample's image and text, the teacher's in-batch probabilities of the sample's
    own pair and, in descending order, of the others, and the teacher's cross-entropy as CE/(CE + log B). At first A = 0 and
    every teacher is selected with probability `initial`; at 1 all are, always, and the weights are `equal`'s to the last bit.

    Rewards of a sample are r1 = −L_CE, r2 = −L_CE − L_KD, r3 = γ·r2 + (1 − γ)·R@1, where L_KD is its mean distillation loss
    over the teachers selected for it and R@1 the mean of both directions' at the last validation, 0 until the first. L_CE is
    the task loss after the update that the selection brought about: the mean task loss of the next batch, the same for all
    samples of this one, which costs no forward of its own. So the policy learns from a batch at the start of the next step:

        θ ← θ + lr · mean_b Σ_t ((r_b − baseline)/scale) ∇ log π(a[t,b] | F[t,b]),

    where the baseline is a running mean of the reward and the scale its running root mean square distance from it, so that
    `lr` means the same for losses of any size; without `standardize` the scale is 1.

    For a share of `warmup` of the training the student learns from the average of all teachers and the policy rests; for a
    share of `pretrain` it still does, while the policy selects on paper and is rewarded as if it had acted; then the policy
    acts. Raises KdbenchError where nothing is left for it to act in.
    """

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
        """One step of REINFORCE from the batch before, now that its task loss is known."""
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
        """The mean probability of selection over the current batch, for each teacher."""
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
            "a policy, learned by REINFORCE, selects teachers for each sample (RL-KD)",
            formula="w[t,b] = a[t,b]/Σ_j a[j,b], a[t,b] ~ Bernoulli(sigmoid(A_t·F[t,b] + b_t))",
            source="RL-KD, Yuan et al., AAAI 2021",
            status="published",
            check=check,
            waives={"permuting teachers permutes weights": "each draws numbers of its own; permuting permutes in distribution"},
        )
    ]
