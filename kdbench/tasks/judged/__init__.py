"""Retrieval by judgments: ECCV Caption and CxC. Offered as a plugin; importing it does not import torch."""

from kdbench.contracts import Offer, Task
from kdbench.contracts.hookspecs import hookimpl
from kdbench.tasks.judged.task import Judged

__all__ = ["Judged", "kdbench_tasks"]


@hookimpl
def kdbench_tasks() -> list[Offer[Task]]:
    return [
        Offer(
            "judged",
            Judged,
            "retrieval whose positives people have judged, many images a caption and many captions an image",
            formula=(
                "Of queries with R positives: mAP@R = (1/R) Σ_{k ≤ R} P@k · rel_k, R-Precision = P@R, R@K: whether a positive "
                "is among the first K (ties count against the model)"
            ),
            source="Chun et al. 2022 (ECCV Caption); equal to the package eccv_caption on the same similarities",
            status="published",
        )
    ]
