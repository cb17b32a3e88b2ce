"""Which of a teacher's stored embeddings serve as class vectors in a step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kdbench import Batch, KdbenchError, Modality, Pairs

Choice = Literal["batch", "all"] | int  # an integer: the batch's and that many others


def class_vectors(choice: Choice, modality: Modality, teacher: Pairs, batch: Batch) -> tuple[Tensor, Tensor]:
    """Embeddings of distinct images or captions, [K, d_t], and their concepts, [K].

    Raises KdbenchError if `choice` is more than the batch and the teacher has no stored embeddings.
    """
    own, places = (teacher.image, batch.images) if modality == "image" else (teacher.text, batch.captions)
    if choice == "batch":
        return once(own, places), once(batch.concepts, places)
    bank = teacher.bank
    if bank is None:
        raise KdbenchError(f"class_vector_kl: bank: {choice} needs a teacher with stored embeddings; bank: batch does not")
    read, concepts = (bank.images, bank.image_concepts) if modality == "image" else (bank.captions, bank.caption_concepts)
    if choice == "all":
        return read(), concepts
    chosen = with_others(places, len(concepts), choice)
    return read(chosen), concepts[chosen]


def once(values: Tensor, places: Tensor) -> Tensor:
    """The values [B, …] without repetitions of an index, in order: two images of a batch may come with one caption."""
    known, rank = torch.unique(places, return_inverse=True)
    result = values.new_empty(len(known), *values.shape[1:])
    result[rank] = values
    return result


def with_others(places: Tensor, total: int, count: int) -> Tensor:
    """The given indices, each once, and `count` other indices from 0…total−1, or as many as there are.

    They depend only on the seed that the core gives torch at every step: all teachers of a step use the same captions, at any
    position in the team.
    """
    outside = torch.ones(total, dtype=torch.bool, device=places.device)
    outside[places] = False
    others = outside.nonzero().flatten()
    generator = torch.Generator().manual_seed(torch.initial_seed())
    drawn = torch.randperm(len(others), generator=generator)[:count]
    return torch.cat([torch.unique(places), others[drawn.to(others.device)]])
