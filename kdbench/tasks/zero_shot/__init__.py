"""Zero-shot classification of images by class names. Offered as a plugin; importing it does not import torch."""

from kdbench.contracts import Offer, Task
from kdbench.contracts.hookspecs import hookimpl
from kdbench.tasks.zero_shot.task import ZeroShot

__all__ = ["ZeroShot", "kdbench_tasks"]


@hookimpl
def kdbench_tasks() -> list[Offer[Task]]:
    return [
        Offer(
            "zero_shot",
            ZeroShot,
            "classification of images by the text embeddings of class names, without training",
            formula=(
                "A class vector is the normalised mean of the unit embeddings of the class's prompts; top-K: fraction of "
                "images whose class is among the K most similar (ties count against the model; of classes with the same "
                "prompts, the first comes first)"
            ),
            source="Radford et al. 2021, §3.1; equal to open_clip's build_zero_shot_classifier on the same embeddings",
            status="published",
        )
    ]
