"""`l_lora`: a frozen student with linearised low-rank additions (L-LoRA; Tang et al., ICLR 2024, arXiv 2310.04742).

Partial linearisation replaces each addition by its first-order expansion in what is trained: h = f(x; φ₀) + J (φ − φ₀) with φ =
(A, B), layer by layer. B is zero at first, so that J has no part in A: h = W₀ x + scale·B A₀ x, and A's gradient is zero.
"""

from __future__ import annotations

from kdbench import Offer, Student, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.lora import Lora


class LinearLora(Lora):
    """Trains W + scale·B A₀ in place of each weight W of `student`: B of `rank`, zero at first, W frozen, A₀ as drawn.

    A layer's output is affine in what is trained: what students of several teachers have learned from one initialisation can
    be added up, as by `merged`. `layers` are patterns of the names of layers that get an addition, as in `lora`. All else keeps
    its weights but the logit scale. After the training, the additions are merged.
    """

    name = "l_lora"
    linear = True


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "l_lora",
            LinearLora,
            "another student, frozen, with linearised low-rank additions that can be added up (L-LoRA)",
            formula="h = W₀ x + scale·B A₀ x, A₀ as drawn, B = 0 at first",
            latex=r"h = W_0 x + \mathrm{scale} \cdot B A_0 x, \quad A_0 \text{ as drawn, } B = 0 \text{ at first}",
            source="L-LoRA, Tang et al., ICLR 2024",
            status="published",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
