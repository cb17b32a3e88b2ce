"""Inputs for testing an objective: a student's and a teacher's embeddings of a batch, a head, and a bank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench.contracts import Batch, Objective, Pairs
from kdbench.plugins.internals import internals_read
from kdbench.testing.findings import Broken
from kdbench.testing.retrieval.internals import drawn_internals, with_gradients
from kdbench.training.internals import shapes_of

WIDTH, OTHER = 4, 6  # of the student and of a wider teacher


@dataclass
class KitBank:
    """Implements `Bank` over tensors."""

    image_rows: Tensor
    caption_rows: Tensor
    image_concepts: Tensor
    caption_concepts: Tensor

    def images(self, indices: Tensor | None = None) -> Tensor:
        return self.image_rows if indices is None else self.image_rows[indices]

    def captions(self, indices: Tensor | None = None) -> Tensor:
        return self.caption_rows if indices is None else self.caption_rows[indices]

    def swapped(self) -> KitBank:
        return KitBank(self.caption_rows, self.image_rows, self.caption_concepts, self.image_concepts)


class ObjectiveInputs(NamedTuple):
    """A batch as an objective receives it."""

    student: Pairs
    teacher: Pairs
    head: Any
    batch: Batch


def drawn_inputs(
    objective: Objective,
    teacher_width: int = WIDTH,
    batch_size: int = 6,
    scale: float = 10.0,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> ObjectiveInputs:
    """Random unit vectors, including two pairs of one concept, and a bank with further images and captions."""
    draw = torch.Generator().manual_seed(seed)

    def unit(rows: int, width: int) -> Tensor:
        return normalize(torch.randn(rows, width, generator=draw, dtype=dtype), dim=1)

    image_concepts = torch.arange(batch_size + 2)
    image_concepts[1] = 0
    caption_concepts = torch.cat([image_concepts, torch.arange(3)])
    bank = KitBank(
        unit(len(image_concepts), teacher_width), unit(len(caption_concepts), teacher_width), image_concepts, caption_concepts
    )
    images = torch.randperm(batch_size, generator=draw)
    captions = images.clone()  # of the same concepts; for some the second caption
    captions[images == 2] = len(image_concepts) + 2
    batch = Batch(images, captions, image_concepts[images], 0.4)
    student = Pairs(unit(batch_size, WIDTH), unit(batch_size, WIDTH), torch.tensor(scale, dtype=dtype))
    teacher = Pairs(bank.images(images), bank.captions(captions), 20.0, bank)
    student, teacher = (
        replace(pairs, internals=_cast(drawn_internals(internals_read(objective), batch_size, wide, layers, drawn), dtype))
        for pairs, wide, layers, drawn in (
            (student, 2, 2, seed + 1),
            (teacher, teacher_width // 2, teacher_width // 2, seed + 2),
        )
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = _head(objective, student, teacher, teacher_width)
    return ObjectiveInputs(student, teacher, head.to(dtype) if isinstance(head, nn.Module) else head, batch)


def _head(objective: Any, student: Pairs, teacher: Pairs, teacher_width: int) -> Any:
    if internals_read(objective):
        return objective.internal_head(shapes_of(student), shapes_of(teacher))
    return objective.head(WIDTH, teacher_width)


def _cast(internals: dict[str, tuple[Tensor, ...]], dtype: torch.dtype) -> dict[str, tuple[Tensor, ...]]:
    return {name: tuple(value.to(dtype) for value in values) for name, values in internals.items()}


def learning(of: ObjectiveInputs) -> ObjectiveInputs:
    """The same with a student that requires gradients."""
    student = of.student
    image, text = (embedding.clone().requires_grad_() for embedding in (student.image, student.text))
    scale = torch.as_tensor(student.scale).clone().requires_grad_()
    return of._replace(student=with_gradients(replace(student, image=image, text=text, scale=scale)))


def losses_of(objective: Objective, of: ObjectiveInputs) -> Tensor:
    """The losses. Random draws of an objective are the same each time, as with the core's seed of a step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return objective.losses(of.student, of.teacher, of.head, of.batch)


def identity(head: Any) -> Any:
    """The head with its square linear layers set to the identity. Objectives with other heads must waive the property."""
    if head is None:
        return None
    for name, layer in head.named_modules():
        own = list(layer.parameters(recurse=False))
        if not own:
            continue
        if not isinstance(layer, nn.Linear) or layer.in_features != layer.out_features:
            raise Broken(f"the head's {name or 'only layer'} is {layer}, expected square linear layers; otherwise waive this")
        with torch.no_grad():
            nn.init.eye_(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
    return head.eval()


def in_state(state: str, student: Pairs, teacher: Pairs) -> Pairs:
    if state == "collapsed":
        return replace(
            student, image=student.image[:1].expand_as(student.image), text=student.image[:1].expand_as(student.text)
        )
    if state == "perfect" and teacher.image.shape == student.image.shape:
        return replace(student, image=teacher.image, text=teacher.text, internals=teacher.internals)
    return student


def gradients(losses: Tensor, student: Pairs, head: Any) -> dict[str, Tensor]:
    places = {"image embeddings": student.image, "text embeddings": student.text, "scale": torch.as_tensor(student.scale)}
    places |= {f"internal {name} {place}": value for name, place, value in named_internals(student) if value.requires_grad}
    if isinstance(head, nn.Module):
        places |= {f"head's {name}": value for name, value in head.named_parameters() if value.requires_grad}
    if not losses.requires_grad:
        return {name: torch.zeros_like(position) for name, position in places.items()}
    found = torch.autograd.grad(losses.mean(), list(places.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(places, found, strict=True))


def inputs(of: ObjectiveInputs) -> dict[str, Tensor]:
    batch, bank = of.batch, of.teacher.bank
    assert isinstance(bank, KitBank)
    found = {f"bank.{name}": value for name, value in vars(bank).items()}
    found |= {f"batch.{name}": getattr(batch, name) for name in ("images", "captions", "concepts")}
    for name, pairs in (("student", of.student), ("teacher", of.teacher)):
        found |= {f"{name}.image": pairs.image, f"{name}.text": pairs.text, f"{name}.scale": torch.as_tensor(pairs.scale)}
        found |= {f"{name}.internals[{its!r}][{place}]": value for its, place, value in named_internals(pairs)}
    return found


def named_internals(pairs: Pairs) -> list[tuple[str, int, Tensor]]:
    """Internals with their names and layers."""
    return [(name, place, value) for name, values in pairs.internals.items() for place, value in enumerate(values)]
