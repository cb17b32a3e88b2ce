"""Image-text retrieval: what its batches, losses, ranks and metrics are. Offered as a plugin; importing it imports no torch."""

from kdbench.contracts import Offer, Task
from kdbench.contracts.hookspecs import hookimpl
from kdbench.tasks.retrieval.task import Retrieval

__all__ = ["Retrieval", "kdbench_tasks"]


@hookimpl
def kdbench_tasks() -> list[Offer[Task]]:
    return [
        Offer(
            "retrieval",
            Retrieval,
            "images by texts and texts by images, ranked both ways",
            formula=(
                "An image and a text match when they show the same concept; R@K: share of queries whose best-placed match is "
                "among the K best (ties count against the model); RSUM: the sum of all R@K in percent"
            ),
            source="Karpathy & Fei-Fei, CVPR 2015 (protocol)",
            status="published",
        )
    ]
