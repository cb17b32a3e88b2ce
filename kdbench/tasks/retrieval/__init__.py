"""Image-text retrieval: its batches, losses, ranks and metrics. Offered as a plugin; importing it does not import torch."""

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
            "retrieval of images by texts and of texts by images",
            formula=(
                "An image and a text match if they are of the same concept; R@K: fraction of queries with a match among the "
                "K best candidates (ties count against the model); RSUM: the sum of all R@K in percent"
            ),
            source="Karpathy & Fei-Fei, CVPR 2015 (protocol)",
            status="published",
        )
    ]
