"""`moefied_lora`: a frozen transformer whose FFNs are experts in training, with low-rank additions. EMTAL (NeurIPS 2024).

Published: neurons grouped by balanced k-means, A shared by the experts of a layer, scales by a router before the activation,
and scales that fade until a dense model is left. A **reconstruction** in what the source leaves open: W_r is zero at first, ω
fades by step, and what is validated and kept is the dense model.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from kdbench import KdbenchError, Offer, Student, Uses, hookimpl
from kdbench_plugins.students.adapted import Adapted, Rank, Scale

# The smallest model of open_clip with a transformer for each modality.
TRANSFORMERS: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 24, "patch_size": 8, "width": 64, "head_width": 32, "layers": 2},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


class MoefiedLora(Adapted):
    """Groups the neurons of each FFN of `student` into `experts` of equal size and trains low-rank additions, W + scale·B A.

    Neurons are grouped by balanced k-means of their input weights. In training, a router scales the neurons of expert k before
    the activation by ω + (1 − ω)·K·softmax(W_r x / 5)_k, x being the input of the FFN behind its LayerNorm. ω starts at 0 and
    goes to 1: after each step ω ← fade·ω + (1 − fade). Additions of `rank` are made to all linear layers of the blocks, the
    projections of attention included; rows of B belong to experts, which share A. All else is frozen but the logit scale: parts
    without an FFN, such as a convolutional tower, learn nothing.

    In eval mode the scales are 1: the dense model is validated, and kept with merged additions. A student that was not trained
    before, such as by `warm_start` or from a checkpoint, has little to add to.
    """

    name = "moefied_lora"

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        experts: Annotated[int, Field(ge=2)] = 16,
        rank: Rank = 4,
        scale: Scale = 1.0,
        fade: Annotated[float, Field(ge=0, lt=1)] = 0.98,
    ) -> None:
        from kdbench_plugins.students.experts import ExpertAdapters
        from kdbench_plugins.students.low_rank import LowRank

        super().__init__(student)
        try:
            self.adapters = ExpertAdapters(self.module, experts, fade, lambda weight: LowRank(weight, rank, scale))
        except KdbenchError as error:
            raise KdbenchError(f"student {self.name}: {error}") from error


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "moefied_lora",
            MoefiedLora,
            "another student whose FFNs are experts in training, with low-rank additions, and dense afterwards (EMTAL)",
            formula="h = W_down GELU(s ⊙ (W_up + scale·B A) x), s = ω + (1 − ω)·K·σ(W_r x / 5), ω ← fade·ω + (1 − fade)",
            latex=(
                r"h = W_{\mathrm{down}} \mathrm{GELU}(s \odot (W_{\mathrm{up}} + \mathrm{scale} \cdot B A)\, x), \quad "
                r"s = \omega + (1 - \omega) K \sigma(W_r x / 5), \quad \omega \leftarrow \mathrm{fade} \cdot \omega + (1 - "
                r"\mathrm{fade})"
            ),
            source="EMTAL, NeurIPS 2024; balanced k-means of MoEfication, Zhang et al., ACL Findings 2022",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": TRANSFORMERS}},
        )
    ]
