"""`relational_kl`: the student's in-batch similarities match the teacher's. CLIP-KD's CRD (Yang et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class RelationalKL:
    """KL divergence per sample between the teacher's and the student's in-batch distributions, both directions averaged.

    v and u are the student's image and text embeddings and s its scale; v_t, u_t and s_t are the teacher's. Similarities do
    not depend on the width, so there is no head. `temperature` is τ; the factor τ² keeps the size of the gradient (Hinton et
    al. 2015). `standardize` replaces the logits of each distribution, the student's and the teacher's, by their z-scores before
    the softmax (Sun et al., CVPR 2024, arXiv 2403.01427): then only their order and relative distances count, and neither
    scale has an effect. `scale` is used in place of s and s_t.

    A strategy that weighs pairs, such as `whiten_mtd`, fuses the teachers' logits: Σ_t w[t] s_t v_t u_tᵀ is then the only
    teacher.
    """

    def __init__(
        self,
        *,
        temperature: Annotated[float, Field(gt=0)] = 1.0,
        standardize: bool = False,
        scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
    ) -> None:
        self.temperature = temperature
        self.standardize = standardize
        self.scale = scale

    def head(self, student_width: int, teacher_width: int) -> Module | None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        if self.standardize:
            return self._divergences(self._logits(student), self._logits(teacher))
        from kdbench_plugins.objectives.shared_softmax import Softmax, divergences

        logits = student.once((self, "logits"), lambda: self._logits(student))
        own = student.once((self, "softmax"), lambda: Softmax.of(logits.detach(), self.temperature))
        return divergences(logits, own, self._logits(teacher), self.temperature)

    def fused_losses(self, student: Pairs, teachers: Sequence[Pairs], weights: Tensor, batch: Batch) -> Tensor:  # noqa: ARG002
        fused = sum(weight * self._logits(teacher) for weight, teacher in zip(weights, teachers, strict=True))
        return self._divergences(self._logits(student), fused)

    def _logits(self, pairs: Pairs) -> Tensor:
        return pairs.logits if self.scale is None else self.scale * pairs.image @ pairs.text.T

    def _divergences(self, own: Tensor, aim: Tensor) -> Tensor:
        """[B] for logits [B, B]."""
        from torch.nn.functional import kl_div, log_softmax

        def log_probs(logits: Tensor) -> Tensor:
            return log_softmax((z_scores(logits) if self.standardize else logits) / self.temperature, dim=1)

        both = [
            kl_div(log_probs(s), log_probs(t), reduction="none", log_target=True).sum(dim=1)
            for s, t in ((own, aim), (own.T, aim.T))
        ]
        return (both[0] + both[1]) / 2 * self.temperature**2


def z_scores(logits: Tensor) -> Tensor:
    """Each row less its mean, over its standard deviation (with Bessel's correction) plus 1e-7, as in the paper's code.

    Variances below 1e-12 count as 1e-12: equal logits would otherwise have no gradient that is a number.
    """
    return (logits - logits.mean(dim=1, keepdim=True)) / (logits.var(dim=1, keepdim=True).clamp_min(1e-12).sqrt() + 1e-7)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "relational_kl",
            RelationalKL,
            "KL between in-batch similarity distributions (CLIP-KD's CRD)",
            formula="ℓ = ½τ²[KL(σ(s_t v_t u_tᵀ/τ) ‖ σ(s v uᵀ/τ)) + the transpose]",
            latex=(
                r"\ell = \frac{1}{2} \tau^2 "
                r"\left[\mathrm{KL}(\sigma(s_t v_t u_t^T / \tau) \, \Vert \, \sigma(s \, v u^T / \tau)) "
                r"+ \text{the transpose}\right]"
            ),
            source="CLIP-KD, Yang et al., CVPR 2024",
            status="published",
        )
    ]
