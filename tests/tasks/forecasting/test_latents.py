"""Latent maps as internals: read in the forward pass of a step, and taught through."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from kdbench import FeedSettings
from kdbench.plugins.building import building_with
from kdbench.storage.cache import Cache
from kdbench.suite.settings import Train
from kdbench.tasks.forecasting.feed import FieldFeed
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.tasks.forecasting.task import Forecasting
from kdbench.tasks.forecasting.teach import StoredForecasts
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves
from kdbench.training.internals import FirstSamples
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.field_feature import FieldFeature
from kdbench_plugins.objectives.field_mse import FieldMse
from kdbench_plugins.strategies.ammkd import Ammkd
from tests.support.waves import registered

TRAIN = Train(epochs=1, batch_size=6, lr=0.01, distill=2.0, precision="fp32")


def test_a_step_gives_the_gradient_of_the_summed_losses(tmp_path: Path) -> None:
    """Two teachers under ammkd: the parameters' gradient, by one backward, equals that of the loss written out."""
    task, student = Forecasting(), LinearForecaster()
    data = encoded(OpenedFields(Waves(grid=(8, 8)), Cache(tmp_path), "cpu", lambda *_: None), "train")
    rng = np.random.default_rng(0)
    made = [
        StoredForecasts(
            rng.normal(size=(24, 3, 1, 8, 8)).astype(np.float16), rng.normal(size=(24, width, 4, 4)).astype(np.float16)
        )
        for width in (4, 6)
    ]
    with building_with(registered()):
        first = FirstSamples(task, cast(Any, student), data, "cpu")
        members = [TeamTeacher(str(place), stored) for place, stored in enumerate(made)]
        terms = [(1.0, FieldMse()), (0.5, FieldFeature())]
        team = Team(members, cast(Any, terms), 4, 0, "cpu", first)
        learner = Learner(task, cast(Any, student), data, [Stage(TRAIN, team, Ammkd())], 0, "cpu")
        module = cast(nn.Module, student.module)
        before = {name: value.detach().clone() for name, value in module.named_parameters()}
        seen: dict[str, torch.Tensor] = {}

        def record(*_: Any) -> None:
            """In the place of the optimizer's step."""
            seen.update({name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None})

        learner.optimizer.step = record  # type: ignore[method-assign,assignment]
        weights = learner.step(0).weights
    assert weights is not None
    assert weights.shape == (2,)
    assert all(torch.equal(before[name], value) for name, value in module.named_parameters())

    feed = FieldFeed(data, FeedSettings(6, 1, 0, "cpu", lambda _: slice(None)))
    batch, inputs = feed.batch(0), feed.inputs(0)
    frames, latent = student.module.with_latent(*inputs)
    loss = (frames - batch.targets).square().mean()
    for weight, stored, heads in zip(weights, made, team.heads, strict=True):
        exposed = stored.exposing(["maps"]).outputs(batch, "cpu")
        aim = nn.functional.interpolate(exposed.internals["maps"][0], (8, 8), mode="bilinear", antialias=True)
        feature = (cast(Any, heads)[1](latent) - aim).square().mean() / aim.square().mean()
        loss = loss + 2.0 * weight * ((frames - exposed.frames).square().mean() + 0.5 * feature)
    grads = torch.autograd.grad(loss, list(module.parameters()))
    norm = torch.stack([grad.norm() for grad in grads]).norm()
    clipped = min(1.0, TRAIN.clip_norm / float(norm + 1e-6))
    for (name, _), grad in zip(module.named_parameters(), grads, strict=True):
        assert torch.allclose(seen[name], clipped * grad, rtol=1e-4, atol=1e-6), name


def test_the_state_of_a_module_stays() -> None:
    task, student = Forecasting(), LinearForecaster()
    module = cast(nn.Module, student.module)
    names = set(module.state_dict()), {name for name, _ in module.named_modules()}
    task.forward(cast(Any, student), [torch.zeros(1, 2, 1, 8, 8)])
    assert names == (set(module.state_dict()), {name for name, _ in module.named_modules()})
