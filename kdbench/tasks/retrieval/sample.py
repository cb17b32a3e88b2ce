"""A few samples of a train split with made-up teachers, to try a run's plugins before its teachers are computed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from kdbench.contracts import Dataset, Encoder, Split, Student, Teacher
from kdbench.contracts.encoder import reads_originals
from kdbench.data.borders import checked_rows
from kdbench.data.checked_items import checked_caption, read_picture
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.exposed import ExposableEmbeddings
from kdbench.tasks.retrieval.pair_inputs import Features, PairInputs
from kdbench.tasks.retrieval.stored import StoredEmbeddings

COUNT = 8  # images, each with a caption


def sample(dataset: Dataset, student: Student, teachers: Sequence[Teacher]) -> tuple[EncodedSplit, Sequence[StoredEmbeddings]]:
    """The first images of the train split, each with a caption, as the student reads them, on the CPU.

    Embeddings of teachers are random unit vectors, of the student's width and wider, none of a tower that a teacher lacks.
    Their internals are the student's. Raises PluginError if a picture, a caption or what an encoder returns breaks its
    contract.
    """
    split = dataset.split("train")
    images = range(min(len(split.images), COUNT))
    captions = [int(np.flatnonzero(split.caption_concepts == split.image_concepts[place])[0]) for place in images]
    texts = [checked_caption(split.captions[place], f"train caption {place}") for place in captions]
    concepts = np.array(split.image_concepts[: len(images)], dtype=np.int64)
    encoded = EncodedSplit(
        images=_encoded(student.images, _pictures(split, images, dataset.size, student.images)),
        texts=_encoded(student.texts, texts),
        image_concepts=concepts,
        caption_concepts=concepts,
        image_ids=split.image_ids[: len(images)],
    )
    rng = np.random.default_rng(0)
    made = []
    for place, teacher in enumerate(teachers):
        drawn = [rng.normal(size=(len(images), student.width + 4 * (place % 2))) for _ in range(2)]
        image, text = ((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16) for rows in drawn)
        lacks = getattr(teacher, "lacks", None)
        image, text = image[:, : 0 if lacks == "image" else None], text[:, : 0 if lacks == "text" else None]
        made.append(ExposableEmbeddings(image, text, 20.0, concepts, concepts, model=partial(_frozen, student, encoded)))
    return encoded, made


def _frozen(student: Student, encoded: EncodedSplit) -> tuple[Student, PairInputs]:
    """A copy of the student as it is, and what it reads."""
    return deepcopy(student), PairInputs(Features(encoded.images), Features(encoded.texts))


def _pictures(split: Split, places: Sequence[int], size: int, encoder: Encoder) -> Any:
    if len(split.originals) and reads_originals(encoder):
        return [split.originals[place] for place in places]
    pixels = np.stack([read_picture(split, "train", place, size)[0] for place in places])
    pixels.flags.writeable = False  # as the core's memory maps are
    return pixels


def _encoded(encoder: Encoder, items: Any) -> Any:
    """The encoder's outputs, through its bases, with floating-point numbers rounded to float16 as on disk."""
    import torch

    if encoder.base is not None:
        items = _encoded(encoder.base, items)
    with torch.no_grad():
        made = checked_rows(encoder, encoder.encode(items, "cpu"), len(items)).detach().cpu()
    values = (made.half().float() if made.is_floating_point() else made).numpy()
    values.flags.writeable = False
    return values
