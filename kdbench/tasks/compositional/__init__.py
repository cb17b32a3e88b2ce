"""Right captions against wrong ones of the same words. Offered as a plugin; importing it does not import torch."""

from kdbench.contracts import Offer, Task
from kdbench.contracts.hookspecs import hookimpl
from kdbench.tasks.compositional.task import Compositional

__all__ = ["Compositional", "kdbench_tasks"]


@hookimpl
def kdbench_tasks() -> list[Offer[Task]]:
    return [
        Offer(
            "compositional",
            Compositional,
            "whether an image is more similar to its caption than to one with a word added, replaced or swapped",
            formula=(
                "Accuracy: fraction of items (an image, a right and a wrong caption) whose right caption is the more similar "
                "one (ties count against the model); of all items, of each kind, and the mean over kinds"
            ),
            source="Hsieh et al. 2023 (SugarCrepe); equal to its main_eval.py on the same embeddings",
            status="published",
        )
    ]
