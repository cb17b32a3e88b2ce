"""Internals of students and teachers under test, and made-up ones for objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import Pairs
from kdbench.plugins.internals import exposing_teacher, taps_of
from kdbench.testing.findings import Broken, brief, furthest
from kdbench.testing.retrieval.examined_student import ExaminedStudent
from kdbench.testing.retrieval.examined_teacher import COUNT, MODALITIES, ExaminedTeacher, encoded, items_of
from kdbench.training.internals import checked_internals, tapped

AXES = {"maps": 4, "image_attention": 4, "text_attention": 4, "text_hidden": 3, "text_words": 2}
MASK = "text_words"  # no function of the weights
CLOSE = 1e-3  # of a model's embeddings and those of its teacher, which may be of other arithmetic


def exposing_student(examined: ExaminedStudent) -> str:
    """What a student exposes has its shape and is finite, carries a gradient, and reading it changes no output."""
    student, module = examined.first, cast(nn.Module, examined.first.module)
    taps = taps_of(student)
    if not taps:
        return "it exposes none"

    def embed() -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)  # for dropout
        return examined.embed(student.module, evaluate=False)

    expected = embed()
    with tapped(taps, list(taps)) as found:
        read = embed()
    for modality, with_taps, without in zip(MODALITIES, read, expected, strict=True):
        if not torch.equal(with_taps, without):
            raise Broken(f"{modality}s, while internals are read: {furthest(with_taps, without)}")
    sound(found, module)
    learns = [value for value in module.parameters() if value.requires_grad]
    for name, values in found.items():
        for place, value in enumerate(values):
            direction = torch.linspace(-1, 1, value.numel()).view_as(value)
            grads: Any = [None]
            if value.requires_grad:
                grads = torch.autograd.grad((value * direction).sum(), learns, retain_graph=True, allow_unused=True)
            if name != MASK and not any(grad is not None and grad.abs().sum() > 0 for grad in grads):
                raise Broken(f"internal {name}, layer {place + 1}: found a gradient at none of {len(learns)} parameters")
    return ", ".join(taps)


def exposing(examined: ExaminedTeacher) -> str:
    """What a teacher exposes has its shape and is finite, and is of the model that gives its embeddings."""
    teacher = exposing_teacher(examined.teacher)
    if teacher is None:
        return "it exposes none"
    model = teacher.exposed(examined.towers)
    taps, module = taps_of(model), cast(Any, model.module).eval()
    if set(teacher.exposes) != set(taps):
        raise Broken(f"found the internals {sorted(taps)} and exposes = {sorted(teacher.exposes)}; expected them to agree")
    readers, towers = (model.images, model.texts), (examined.towers.image, examined.towers.text)
    with torch.no_grad(), tapped(taps, list(taps)) as found:
        for encode, reader, tower in zip((module.encode_image, module.encode_text), readers, towers, strict=True):
            embeddings = encode(encoded(reader, items_of(reader.modality)))
            expected = encoded(tower, items_of(tower.modality))
            if not torch.allclose(embeddings, expected, rtol=0, atol=CLOSE):
                raise Broken(f"{tower.modality}s by the model that is exposed: {furthest(embeddings, expected)}")
    sound(found, module)
    return ", ".join(taps)


def sound(found: Mapping[str, Sequence[Any]], module: object) -> None:
    """Raises Broken for internals that are not finite or of another shape than their name says."""
    for name, values in found.items():
        for value in checked_internals(values, name, module, COUNT):
            if value.dim() != AXES.get(name, value.dim()):
                raise Broken(f"internal {name}: found shape {list(value.shape)}, expected {AXES[name]} axes")
            if not torch.isfinite(value).all():
                raise Broken(f"internal {name}: found {brief(value)}, expected finite numbers")
            if name.endswith("_attention") and float((value.detach().sum(dim=-1) - 1).abs().max()) > 1e-4:
                raise Broken(f"internal {name}: found rows that sum to {brief(value.sum(dim=-1))}, expected 1")


def drawn_internals(names: Sequence[str], samples: int, width: int, layers: int, seed: int) -> dict[str, tuple[Tensor, ...]]:
    """Internals of `layers` layers, of 3 by 3 maps and 3 tokens, the last of them padding of a sample; float64."""
    draw = torch.Generator().manual_seed(seed)

    def one(name: str) -> Tensor:
        if name == MASK:
            mask = torch.ones(samples, 3, dtype=torch.float64)
            mask[0, -1] = 0
            return mask
        if name.endswith("_attention"):
            return torch.randn(samples, 2, 3, 3, generator=draw, dtype=torch.float64).softmax(dim=-1)
        shape = (samples, 3, width) if name == "text_hidden" else (samples, width, 3, 3)
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return {name: tuple(one(name) for _ in range(1 if name == MASK else layers)) for name in names}


def with_gradients(pairs: Pairs) -> Pairs:
    """The same, whose internals require gradients, except masks."""
    return replace(
        pairs,
        internals={
            name: tuple(value.clone().requires_grad_(name != MASK) for value in values)
            for name, values in pairs.internals.items()
        },
    )
