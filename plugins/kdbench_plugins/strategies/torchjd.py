"""`torchjd:…`: weightings of TorchJD (Quinton & Rey, arXiv 2406.16232); each entry names its paper.

Not included are methods that need more than the teachers' Gramian: the gradients themselves (ConFIG, GradDrop, trimmed mean,
Excess-MTL), gradients of independent batches (MoDo, SDMGrad) or a primary objective (PCD); and mean, constant and random
weights, which are `equal`, `fixed` and `random`. `famo`, `stch` and `cr_mogm` call TorchJD as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kdbench import Offer, Strategy, hookimpl
from kdbench_plugins.strategies import torchjd_weightings as weightings


class Row(NamedTuple):
    """The documentation of a weighting; name and parameters come from its builder."""

    build: Callable[..., Strategy]
    summary: str
    formula: str
    latex: str
    paper: str
    waives: Mapping[str, str] = MappingProxyType({})


PERMUTING = "permuting teachers permutes weights"
SHUFFLES = {PERMUTING: "the library projects in random order: permuting permutes in distribution only"}

ROWS = [
    Row(
        weightings.mgda,
        "the shortest convex combination of the gradients (MGDA)",
        "w = argmin ‖Σ_t w_t g_t‖²  s.t. Σw = 1, w ≥ 0",
        r"w = \operatorname{argmin} \left\lVert \sum_t w_t g_t \right\rVert^2 \quad \text{s.t. } \sum w = 1, \; w \ge 0",
        "Désidéri, Comptes Rendus Mathématique 2012; Sener & Koltun, NeurIPS 2018",
    ),
    Row(
        weightings.upgrad,
        "the mean of the gradients, each projected to conflict with none (UPGrad)",
        "w ∝ Σ_t argmin_{v ≥ e_t} vᵀGv",
        r"w \propto \sum_t \operatorname{argmin}_{v \ge e_t} v^T G v",
        "Quinton & Rey, arXiv 2406.16232",
    ),
    Row(
        weightings.dualproj,
        "the mean gradient, projected to conflict with none (DualProj)",
        "w ∝ argmin_{v ≥ 1/T} vᵀGv",
        r"w \propto \operatorname{argmin}_{v \ge 1/T} v^T G v",
        "GEM, Lopez-Paz & Ranzato, NeurIPS 2017",
    ),
    Row(
        weightings.cagrad,
        "near the mean gradient, the direction that improves the worst teacher most (CAGrad)",
        "w ∝ 1/T + c·‖ḡ‖/‖Σ_t v_t g_t‖·v,  v = argmin_simplex ⟨ḡ, Σ_t v_t g_t⟩ + c·‖ḡ‖·‖Σ_t v_t g_t‖",
        (
            r"w \propto \frac{1}{T} + \frac{c \left\lVert \bar{g} \right\rVert}{\left\lVert \sum_t v_t g_t \right\rVert} v, "
            r"\quad v = \operatorname{argmin}_{\mathrm{simplex}} \left\langle \bar{g}, \sum_t v_t g_t \right\rangle "
            r"+ c \left\lVert \bar{g} \right\rVert \left\lVert \sum_t v_t g_t \right\rVert"
        ),
        "Liu et al., NeurIPS 2021",
    ),
    Row(
        weightings.pcgrad,
        "the sum of the gradients, each without its conflicting components (PCGrad)",
        "g_i ← g_i − min(0, ⟨g_i, g_j⟩)/‖g_j‖²·g_j for j ≠ i in random order;  Σ_i g_i = Σ_t w_t g_t",
        (
            r"g_i \leftarrow g_i - \frac{\min(0, \left\langle g_i, g_j \right\rangle)}{\left\lVert g_j \right\rVert^2} g_j "
            r"\text{ for } j \ne i \text{ in random order;} \quad \sum_i g_i = \sum_t w_t g_t"
        ),
        "Yu et al., NeurIPS 2020",
        SHUFFLES,
    ),
    Row(
        weightings.gradvac,
        "like PCGrad, but raises cosines to their moving averages (GradVac)",
        "g_i ← g_i + a_j·g_j for j ≠ i in random order, with a_j such that cos(g_i, g_j) ≥ its moving average",
        (
            r"g_i \leftarrow g_i + a_j g_j \text{ for } j \ne i \text{ in random order, with } a_j "
            r"\text{ such that } \cos(g_i, g_j) \ge \text{ its moving average}"
        ),
        "Wang et al., ICLR 2021",
        SHUFFLES,
    ),
    Row(
        weightings.imtl_g,
        "the direction with equal projections onto all gradients (IMTL-G)",
        "w ∝ G⁺·(‖g_1‖ … ‖g_T‖)",
        r"w \propto G^{+} (\left\lVert g_1 \right\rVert \dots \left\lVert g_T \right\rVert)",
        "Liu et al., ICLR 2021",
    ),
    Row(
        weightings.nash_mtl,
        "the Nash bargaining solution (Nash-MTL)",
        "w: Gw = 1/w",
        r"w: \; G w = \frac{1}{w}",
        "Navon et al., ICML 2022",
    ),
    Row(
        weightings.aligned_mtl,
        "the mean gradient after all principal components are scaled to one length (Aligned-MTL)",
        "w ∝ √λ_min · G^(−½) · 1/T",
        r"w \propto \sqrt{\lambda_{\min}} \, G^{-1/2} \frac{1}{T}",
        "Senushkin et al., CVPR 2023",
    ),
    Row(
        weightings.fairgrad,
        "the α-fair solution (FairGrad)",
        "w: Gw = w^(−1/α)",
        r"w: \; G w = w^{-1/\alpha}",
        "Ban & Ji, ICML 2024",
    ),
    Row(
        weightings.krum,
        "the mean of the gradients nearest to their neighbours (Multi-Krum)",
        "w = 1/m for the m teachers with the smallest Σ_j ‖g_t − g_j‖ over their T − f − 2 nearest, else 0",
        (
            r"w = \frac{1}{m} \text{ for the } m "
            r"\text{ teachers with the smallest } \sum_j \left\lVert g_t - g_j \right\rVert \text{ over their } T - f - 2 "
            r"\text{ nearest, else } 0"
        ),
        "Blanchard et al., NeurIPS 2017",
    ),
]


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            f"torchjd:{row.build.__name__}",
            row.build,
            row.summary,
            check=_checked(row.build),
            formula=row.formula,
            latex=row.latex,
            source=f"{row.paper}; TorchJD",
            status="library",
            waives=row.waives,
        )
        for row in ROWS
    ]


def _checked(build: Callable[..., Strategy]) -> Callable[..., None]:
    """Builds the strategy, which is cheap and fails if an extra of the library is missing."""

    def check(**parameters: Any) -> None:
        build(**parameters)

    return check
