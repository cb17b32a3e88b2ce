"""The properties of an objective of forecasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdbench.contracts import Objective
from kdbench.plugins.internals import internals_read
from kdbench.tasks.forecasting.latents import MAPS
from kdbench.tasks.forecasting.outputs import FieldBatch, Forecast
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, furthest, one_thread
from kdbench.training.borders import NEGATIVE, checked_head, checked_losses

Build = Callable[[], Objective]
WIDTH, OTHER = 3, 5  # channels of the student's latent maps and of a wider teacher's
HORIZON, GRID, LATENT, COARSE = 2, 8, 4, 2  # frames; points a side of frames, of latent maps, and of a coarser teacher's


class Inputs(NamedTuple):
    """A batch as an objective receives it."""

    student: Forecast
    teacher: Forecast
    head: Any
    batch: FieldBatch


def drawn(
    objective: Objective, width: int = WIDTH, side: int = LATENT, samples: int = 4, dtype: torch.dtype = torch.float64
) -> Inputs:
    """Random fields, and a teacher with latent maps of a width and a grid. The student's require gradients."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    frames = (samples, HORIZON, 1, GRID, GRID)
    student = forecast(normal(*frames).requires_grad_(), normal(samples, WIDTH, LATENT, LATENT).requires_grad_())
    teacher = forecast(normal(*frames), normal(samples, width, side, side))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if internals_read(objective):
            reading: Any = objective
            head = reading.internal_head({MAPS: [(WIDTH, LATENT, LATENT)]}, {MAPS: [(width, side, side)]})
        else:
            head = objective.head(WIDTH, width)
        head = checked_head(objective, head)
    return Inputs(student, teacher, head and head.to(dtype), FieldBatch(torch.arange(samples), normal(*frames), 0.4))


def forecast(frames: Tensor, latent: Tensor) -> Forecast:
    """Outputs with a latent map."""
    return Forecast(frames, {MAPS: (latent,)})


def parts(of: Forecast) -> tuple[Tensor, Tensor]:
    """A forecast and its latent map."""
    return of.frames, of.internals[MAPS][0]


def losses_of(objective: Objective, of: Inputs) -> Tensor:
    """The losses. Random draws of an objective are the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        of_fields: Any = objective
        return checked_losses(objective, of_fields.losses(*of), len(of.batch))


def per_sample(build: Build) -> None:
    """Losses are [B], finite and not negative, for teachers of the student's and another width and grid."""
    for width, side in ((WIDTH, LATENT), (OTHER, LATENT), (OTHER, COARSE)):
        for samples in (1, 4):
            objective = build()
            found = losses_of(objective, drawn(objective, width, side, samples, torch.float32))
            if not torch.isfinite(found).all():
                raise Broken(f"teacher of width {width} on {side} × {side}: found losses {brief(found)}, expected finite ones")
            if (found < -NEGATIVE * found.abs().max().clamp_min(1.0)).any():
                raise Broken(f"teacher of width {width} on {side} × {side}: found losses {brief(found)}, expected 0 or more")


def moves_student(build: Build) -> None:
    """Losses have a gradient at the student's forecast or latent map."""
    objective = build()
    of = drawn(objective, OTHER)
    own = parts(of.student)
    grads = torch.autograd.grad(losses_of(objective, of).mean(), own, allow_unused=True, materialize_grads=True)
    if not any(grad.abs().sum() > 0 for grad in grads):
        raise Broken("found no gradient at the student's outputs, expected one at the forecast or the latent map")


def gradient(build: Build) -> None:
    """Backward agrees with finite differences at the forecast and the latent map."""
    objective = build()
    of = drawn(objective, OTHER, samples=2)

    def losses(frames: Tensor, latent: Tensor) -> Tensor:
        return losses_of(objective, of._replace(student=forecast(frames, latent)))

    torch.autograd.gradcheck(losses, parts(of.student), fast_mode=True)


def agreement(build: Build) -> None:
    """The loss is zero for a student that equals its teacher, with identity heads."""
    objective = build()
    of = drawn(objective)
    equal = forecast(*(values.clone() for values in parts(of.teacher)))
    found = losses_of(objective, of._replace(student=equal, head=identity(of.head)))
    if not torch.allclose(found, torch.zeros_like(found), atol=1e-6):
        raise Broken(f"student and teacher of the same forecasts and latent maps: found {brief(found)}, expected 0")


def apart(build: Build) -> None:
    """The loss of a sample that equals its teacher stays zero whatever the others of the batch are."""
    objective = build()
    of = drawn(objective)
    sides = zip(parts(of.teacher), parts(of.student), strict=True)
    mixed = forecast(*(torch.cat([aim[:1], own[1:].detach()]) for aim, own in sides))
    found = losses_of(objective, of._replace(student=mixed, head=identity(of.head)))
    if not abs(float(found[0].detach())) <= 1e-6:
        raise Broken(f"the sample alone equal to its teacher: found {float(found[0]):.6g}, expected 0")


def inputs_untouched(build: Build) -> None:
    """An objective does not change its inputs."""
    objective = build()
    of = drawn(objective, OTHER)
    seen: dict[str, Tensor] = {"batch.targets": of.batch.targets}
    for name, side in (("student", of.student), ("teacher", of.teacher)):
        seen |= dict(zip((f"{name}.frames", f"{name}.internals['{MAPS}']"), parts(side), strict=True))
    before = {name: value.detach().clone() for name, value in seen.items()}
    losses_of(objective, of)
    for name, value in seen.items():
        if not torch.equal(value, before[name]):
            raise Broken(f"{name} has changed: {furthest(value, before[name])}")


PROPERTIES: dict[str, Property[Build]] = {
    "one finite loss per sample": per_sample,
    "moves the student": moves_student,
    "gradient": gradient,
    "zero where teacher and student agree": agreement,
    "zero for each sample that agrees": apart,
    "inputs untouched": inputs_untouched,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about an objective."""
    with one_thread():
        return examine(PROPERTIES, build, waives)


def identity(head: Any) -> Any:
    """The head with its square 1 × 1 convolutions set to the identity. Objectives with other heads must waive the property."""
    for name, layer in head.named_modules() if head is not None else ():
        if not list(layer.parameters(recurse=False)):
            continue
        if not isinstance(layer, nn.Conv2d) or layer.in_channels != layer.out_channels or set(layer.kernel_size) != {1}:
            raise Broken(
                f"the head's {name or 'only layer'} is {layer}, expected square 1 × 1 convolutions; otherwise waive this"
            )
        with torch.no_grad():
            nn.init.dirac_(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
    return head
