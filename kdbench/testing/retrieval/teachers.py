"""The properties of a teacher, tested on the kit's own small dataset, on which teachers that need training train twice."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from kdbench.contracts import Teacher
from kdbench.contracts.encoder import reads_ids
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, furthest, insist
from kdbench.testing.retrieval.examined_teacher import COUNT, MODALITIES, ExaminedTeacher, encoded, items_of, modules_in
from kdbench.testing.retrieval.internals import exposing
from kdbench.testing.retrieval.keys import keys_follow
from kdbench.testing.retrieval.live_part import follows_the_seed, resumes, still_at_rate_zero
from kdbench.testing.retrieval.one_by_one import one_by_one
from kdbench.testing.variants import Variants

Build = Callable[[], Teacher]
CLOSE = 1e-4


def unit_vectors(examined: ExaminedTeacher) -> None:
    """Both towers return finite unit vectors [B, d] of the same width; `lacks` names one that is missing."""
    missing = [modality for modality in MODALITIES if modality not in examined.modalities]
    told = getattr(examined.teacher, "lacks", None)
    if missing != ([told] if told else []):
        raise Broken(f"found no tower for {missing or 'no modality'} and lacks = {told!r}; expected them to agree")
    towers = examined.towers
    widths = []
    for modality in examined.modalities:
        tower = getattr(towers, modality)
        if tower.modality != modality:
            raise Broken(f"{modality} tower: found the modality {tower.modality!r}")
        found = encoded(tower, items_of(modality, reads_ids(tower)))
        if found.dim() != 2 or len(found) != COUNT or not found.is_floating_point():
            raise Broken(f"{COUNT} {modality}s: found {found.dtype} of shape {list(found.shape)}, expected floats [{COUNT}, d]")
        norms = found.double().norm(dim=1)
        if not torch.allclose(norms, torch.ones_like(norms), atol=1e-3):
            raise Broken(f"{COUNT} {modality}s: found norms {brief(norms)}, expected 1")
        widths.append(found.shape[1])
    if widths[0] != widths[-1]:
        raise Broken(f"found images of width {widths[0]} and captions of width {widths[-1]}, expected one width")


def batch_independent(examined: ExaminedTeacher) -> None:
    """An item has the same embedding alone, in a batch, and in another order."""
    for modality in examined.modalities:
        one_by_one(getattr(examined.towers, modality), modality)


def equal_builds(examined: ExaminedTeacher) -> None:
    """Prepared again with an empty cache, a teacher has the same keys and gives the same embeddings."""
    again, _ = examined.prepare("second")
    if not math.isclose(again.logit_scale, examined.towers.logit_scale, rel_tol=CLOSE):
        raise Broken(f"logit scale: found {again.logit_scale}, expected {examined.towers.logit_scale}")
    for modality in examined.modalities:
        tower, other = getattr(examined.towers, modality), getattr(again, modality)
        if not isinstance(tower.key, str) or not tower.key or tower.key != other.key:
            raise Broken(f"keys of the {modality} tower: found {other.key!r}, expected {tower.key!r} and not empty")
        found, expected = (encoded(each, items_of(modality, reads_ids(each))) for each in (other, tower))
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=0, atol=CLOSE):
            raise Broken(f"{modality}s, prepared twice: {furthest(found, expected)}")


def frozen(examined: ExaminedTeacher) -> None:
    """A teacher stays frozen and unchanged when `train()` is called on all its modules."""
    for modality in examined.modalities:
        tower = getattr(examined.towers, modality)
        items = items_of(modality, reads_ids(tower))
        expected = encoded(tower, items)  # now everything that is built on first use exists
        seen = list(modules_in(tower))
        for module in seen:
            module.train()
        found = encoded(tower, items)
        if found.shape != expected.shape or not torch.equal(found, expected):
            raise Broken(f"{modality} tower, after train() on what it holds: {furthest(found, expected)}")
        for module in seen:
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    raise Broken(f"{modality} tower: {name} of {type(module).__name__} requires a gradient, expected none")


def scaled(examined: ExaminedTeacher) -> None:
    """The logit scale is a finite number above 0 and at most 100."""
    scale = examined.towers.logit_scale
    if not isinstance(scale, float | int) or not 0 < scale <= 100 * (1 + 1e-6):
        raise Broken(f"logit scale: found {scale!r}, expected a number above 0, 100 at most")


def no_test_split(examined: ExaminedTeacher) -> None:
    """A teacher requests only the train and validation splits."""
    strange = [name for name in examined.first[1].asked if name not in ("train", "validation")]
    if strange:
        raise Broken(f"the teacher requested the split {strange[0]!r}, expected only 'train' and 'validation'")


def keyed(examined: ExaminedTeacher) -> str:
    """Whatever changes an output changes the key of its encoder, or of the base that it reads."""
    return keys_follow(examined.pair, examined.variants)


PROPERTIES: dict[str, Property[ExaminedTeacher]] = {
    "towers give unit vectors of one width": unit_vectors,
    "an embedding does not depend on its batch": batch_independent,
    "two builds are equal": equal_builds,
    "frozen and in eval mode, also after train()": frozen,
    "the logit scale is above 0 and at most 100": scaled,
    "the test split is not requested": no_test_split,
    "internals are sound, and of the model that teaches": exposing,
    "keys follow the outputs": keyed,
    "what is live follows from the seed": follows_the_seed,
    "what is live resumes": resumes,
    "at a rate of zero it is its towers": still_at_rate_zero,
}


def find(build: Build, waives: Waives = (), variants: Variants | None = None) -> list[Finding]:
    """The findings about a teacher. `variants` are teachers with other parameters, whose keys are compared."""
    with tempfile.TemporaryDirectory() as folder:
        return examine(PROPERTIES, ExaminedTeacher(build, Path(folder), variants), waives)


def check_teacher(build: Build, waives: Waives = (), changed: Mapping[str, Build] | None = None) -> None:
    """Raises AssertionError that lists every property that fails.

    `changed` are builders of the teacher with other parameters, by a description: the keys of their encoders must differ, or
    their outputs be equal.
    """
    insist(find(build, waives, Variants(build, changed or {})))
