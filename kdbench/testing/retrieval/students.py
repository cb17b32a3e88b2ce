"""The properties of a student."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kdbench.contracts import Batch, Pairs, Student
from kdbench.storage.checkpoint import save_weights
from kdbench.tasks.retrieval.borders import checked_student
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, furthest, insist
from kdbench.testing.retrieval.examined_student import ExaminedStudent
from kdbench.testing.retrieval.examined_teacher import COUNT, MODALITIES
from kdbench.testing.retrieval.internals import exposing_student
from kdbench.testing.retrieval.keys import keys_follow
from kdbench.testing.retrieval.one_by_one import one_by_one
from kdbench.testing.variants import Variants

Build = Callable[[], Student]
CLOSE = 1e-4
KEPT = 1e-5  # of a finalized module: the same products, perhaps in another order


def shaped(examined: ExaminedStudent) -> None:
    """The module is a torch module, and its logit scale a trainable number."""
    student = examined.first
    if not isinstance(student.module, nn.Module):
        raise Broken(f"module: found {type(student.module).__name__}, expected a torch.nn.Module")
    scale = student.module.logit_scale
    if not isinstance(scale, Tensor) or scale.numel() != 1 or not torch.isfinite(scale).all():
        raise Broken(f"logit_scale: found {scale!r}, expected one finite number, the logarithm of the scale")
    if not any(scale is parameter and parameter.requires_grad for parameter in student.module.parameters()):
        raise Broken("logit_scale: found a tensor that is not a trainable parameter of the module")
    checked_student(student)


def unit_vectors(examined: ExaminedStudent) -> None:
    """Both towers return unit vectors [B, width], in training and in eval mode."""
    student = examined.first
    for evaluate in (False, True):
        for modality, found in zip(MODALITIES, examined.embed(student.module, evaluate=evaluate), strict=True):
            where = f"{COUNT} {modality}s in {'eval' if evaluate else 'training'} mode"
            if tuple(found.shape) != (COUNT, student.width):
                raise Broken(f"{where}: found shape {list(found.shape)}, expected [{COUNT}, {student.width}] by its width")
            norms = found.detach().double().norm(dim=1)
            if not torch.allclose(norms, torch.ones_like(norms), atol=1e-3):
                raise Broken(f"{where}: found norms {brief(norms)}, expected 1")


def seeded(examined: ExaminedStudent) -> None:
    """The same seed of torch's global generator gives the same initial weights."""
    _compare_states(examined.initial(examined.first), examined.initial(examined.again), "built twice from one seed")


def drawn(examined: ExaminedStudent) -> None:
    """Another seed gives other initial weights: they are drawn from torch's global generator only."""
    one, other = examined.initial(examined.first), examined.initial(examined.other)
    if all(torch.equal(one[name], other[name]) for name in one):
        raise Broken(f"built from the seeds 3 and 4: all {len(one)} tensors are equal, expected other weights")


def teachable(examined: ExaminedStudent) -> None:
    """Gradients reach both towers and the logit scale."""
    student = examined.first
    module = cast(nn.Module, student.module)
    images, texts = examined.embed(student.module, evaluate=False)
    learns = {name: value for name, value in module.named_parameters() if value.requires_grad}
    for modality, embedding in (("image", images), ("text", texts)):
        found: Any = [None]
        if embedding.requires_grad:
            direction = torch.linspace(-1, 1, embedding.numel()).view_as(embedding).to(embedding.dtype)
            found = torch.autograd.grad(
                (embedding * direction).sum(), list(learns.values()), retain_graph=True, allow_unused=True
            )
        if not any(grad is not None and grad.abs().sum() > 0 for grad in found):
            raise Broken(f"from the {modality} embeddings: found a gradient at none of {len(learns)} parameters")
    scale = student.module.logit_scale
    loss = pair_losses(Pairs(images.detach().float(), texts.detach().float(), scale.exp()), torch.eye(COUNT).bool()).mean()
    found = torch.autograd.grad(loss, list(learns.values()), allow_unused=True) if loss.requires_grad else [None]
    if not any(grad is not None and grad.abs().sum() > 0 for grad in found):
        raise Broken(f"from the logit scale: found a gradient at none of {len(learns)} parameters")


def steady(examined: ExaminedStudent) -> None:
    """In eval mode an item has the same embedding, and before it the same input, each time, alone and in a batch."""
    one_by_one(examined.first.images, "image")
    one_by_one(examined.first.texts, "text")
    module = examined.first.module
    expected = examined.embed(module)
    again = examined.embed(module)
    parts = [examined.embed(module, slice(position, position + 1)) for position in range(COUNT)]
    alone = [torch.cat([part[side] for part in parts]) for side in range(2)]
    for side, modality in enumerate(MODALITIES):
        if not torch.equal(again[side], expected[side]):
            raise Broken(f"{COUNT} {modality}s, encoded again: {furthest(again[side], expected[side])}")
        if not torch.allclose(alone[side], expected[side], rtol=0, atol=CLOSE):
            raise Broken(f"{COUNT} {modality}s one by one, compared with a batch: {furthest(alone[side], expected[side])}")


def restored(examined: ExaminedStudent) -> None:
    """The weights, saved and loaded into a student of another seed, give the same embeddings."""
    student, other = examined.first, examined.other
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(path, cast(nn.Module, student.module))
        cast(nn.Module, other.module).load_state_dict(load_file(path))
    for modality, found, expected in zip(MODALITIES, examined.embed(other.module), examined.embed(student.module), strict=True):
        if not torch.allclose(found, expected, rtol=0, atol=1e-6):
            raise Broken(f"{modality}s after saving and loading: {furthest(found, expected)}")


def keyed(examined: ExaminedStudent) -> None:
    """The towers' encoders have the same keys in two builds with any seeds."""
    one, other = examined.first, examined.other
    for name in ("images", "texts"):
        keys = [getattr(student, name).key for student in (one, other)]
        if not isinstance(keys[0], str) or not keys[0] or keys[0] != keys[1]:
            raise Broken(f"{name}: found the keys {keys[0]!r} and {keys[1]!r}, expected equal keys")


def modest(examined: ExaminedStudent) -> None:
    """Building a student and encoding with it do not change torch's global settings."""
    examined.embed(examined.first.module)
    if examined.changed:
        raise Broken("; ".join(dict.fromkeys(examined.changed)))


def auxiliary(examined: ExaminedStudent) -> str:
    """Views start with the embeddings, and the module's own loss is a scalar."""
    student = examined.first
    module: Any = student.module
    if not hasattr(module, "auxiliary_loss"):
        return "it has no auxiliary loss"
    expected = examined.embed(student.module)
    views = module.encode_views(*examined.inputs)
    for modality, found, embedding in zip(MODALITIES, views, expected, strict=False):
        if found.shape != embedding.shape or not torch.allclose(found, embedding, rtol=0, atol=CLOSE):
            raise Broken(f"the view of the {modality}s, in eval mode: {furthest(found, embedding)}")
    module.train()
    indices = torch.arange(COUNT)
    copies = [view.detach().float().requires_grad_() for view in module.encode_views(*examined.inputs)]
    loss = module.auxiliary_loss(copies, Batch(indices, indices, indices // 2, 0.5))
    if loss.numel() != 1 or loss.dim() or not torch.isfinite(loss) or not loss.requires_grad:
        raise Broken(f"auxiliary_loss: found {loss!r}, expected a finite scalar with a gradient")
    return ""


def finalized(examined: ExaminedStudent) -> str:
    """The finalized module gives the same embeddings as the whole module."""
    student: Any = examined.first
    if not hasattr(student, "finalize"):
        return "all of it is kept"
    expected = examined.embed(student.module)
    for modality, found, embedding in zip(MODALITIES, examined.embed(student.finalize()), expected, strict=True):
        if found.shape != embedding.shape or not torch.allclose(found, embedding, rtol=0, atol=KEPT):
            raise Broken(f"{modality}s after finalize(): {furthest(found, embedding)}")
    return ""


def keys_differ(examined: ExaminedStudent) -> str:
    """Whatever changes an output of an encoder changes its key, or that of the base that it reads."""
    return keys_follow(examined.pair, examined.variants)


PROPERTIES: dict[str, Property[ExaminedStudent]] = {
    "a torch module with a logit scale that learns": shaped,
    "towers give unit vectors of its width": unit_vectors,
    "same seed, same initial weights": seeded,
    "another seed, other initial weights": drawn,
    "gradients reach both towers and the logit scale": teachable,
    "an embedding does not depend on its batch": steady,
    "weights survive saving and loading": restored,
    "equal keys for two builds": keyed,
    "torch's global settings are left alone": modest,
    "views begin with the embeddings": auxiliary,
    "finalizing keeps the embeddings": finalized,
    "internals are sound, and reading them changes nothing": exposing_student,
    "keys follow the outputs": keys_differ,
}


def find(build: Build, waives: Waives = (), variants: Variants | None = None) -> list[Finding]:
    """The findings about a student. `variants` are students with other parameters, whose keys are compared."""
    with torch.random.fork_rng(devices=[]):
        return examine(PROPERTIES, ExaminedStudent(build, variants), waives)


def check_student(build: Build, waives: Waives = (), changed: Mapping[str, Build] | None = None) -> None:
    """Raises AssertionError that lists every property that fails.

    `changed` are builders of the student with other parameters, by a description: the keys of their encoders must differ, or
    their outputs be equal.
    """
    insist(find(build, waives, Variants(build, changed or {})))


def _compare_states(one: dict[str, Tensor], other: dict[str, Tensor], where: str) -> None:
    if one.keys() != other.keys():
        raise Broken(f"{where}: found the parameters {sorted(one.keys() ^ other.keys())} in one alone")
    for name, expected in one.items():
        if not torch.equal(expected, other[name]):
            raise Broken(f"{where}, {name}: {furthest(other[name], expected)}")
