"""The learning rate's schedule, its factors by name, and an optimizer's state through a file."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from kdbench.errors import KdbenchError
from kdbench.suite.settings import Train
from kdbench.training.optimizer import adamw, freeze, restore, schedule


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (12, 0.25), (7, 0.0), (1, 0.0), (1, 1.0), (10, 1.0), (3, 0.1)])
def test_schedule_rises_in_a_line_and_falls_as_a_cosine(steps: int, warmup: float) -> None:
    shares = [schedule(step, steps, warmup) for step in range(steps)]
    warm = round(warmup * steps)
    assert all(0 < share <= 1 for share in shares)
    assert shares[:warm] == pytest.approx([(step + 1) / warm for step in range(warm)])
    tail = shares[warm:]
    assert tail == pytest.approx([math.cos(math.pi / 2 * place / len(tail)) ** 2 for place in range(len(tail))])
    assert tail == sorted(tail, reverse=True)
    assert max(shares) == pytest.approx(1.0)


def test_moments_come_back_in_the_order_of_their_parameters() -> None:
    """Fused AdamW walks through a parameter and its moments side by side in memory, whatever their strides say."""
    module = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    module(torch.rand(2, 3, 6, 6)).square().sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    for moments in saved["state"].values():  # as a file brings them back
        for name, value in moments.items():
            moments[name] = value.contiguous()
    expected = saved["state"][0]["exp_avg"].clone()
    restore(optimizer, saved)
    for name in ("exp_avg", "exp_avg_sq"):
        assert optimizer.state[module.weight][name].stride() == module.weight.stride() != expected.stride()
    assert optimizer.state[module.weight]["exp_avg"].equal(expected)


class Towers(nn.Module):
    """Two towers and a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.text = nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.zeros(()))


def test_only_matrices_decay_and_patterns_scale_learning_rates() -> None:
    student, heads = Towers(), nn.Linear(2, 2)
    settings = Train(weight_decay=0.3, lr_scale={"visual.1.*": 2.0, "*": 0.5, "visual.*": 0.1})  # in any order
    groups = {id(p): group for group in adamw(student, heads, settings).param_groups for p in group["params"]}
    scales = {"visual.0": 0.1, "visual.1": 2.0, "text": 0.5, "scale": 0.5}
    named = [*student.named_parameters(), *heads.named_parameters("heads")]
    assert len(groups) == len(named)
    for name, parameter in named:
        group = groups[id(parameter)]
        assert group["weight_decay"] == (0.3 if parameter.dim() > 1 else 0.0), name
        assert group["scale"] == next((scale for prefix, scale in scales.items() if name.startswith(prefix)), 1.0), name


def test_a_factor_of_zero_freezes_and_leaves_a_whole_part_in_eval_mode() -> None:
    student = Towers().train()
    freeze(student, {"visual.*": 0.0, "text.bias": 0.0})
    trained = {name for name, parameter in student.named_parameters() if parameter.requires_grad}
    assert trained == {"text.weight", "scale"}
    assert not any(part.training for part in student.visual.modules())
    assert student.training
    assert student.text.training


@pytest.mark.parametrize("mode", [True, False])
def test_parts_that_the_student_has_frozen_keep_their_mode(mode: bool) -> None:
    """Such as a locked tower, whose batch norms may go on counting; unless a pattern freezes it as well."""
    student = Towers().train()
    student.visual.requires_grad_(False).train(mode)
    freeze(student, {"text.*": 0.0, "visual.0.*": 0.5})
    assert not student.text.training
    assert [part.training for part in student.visual.modules()] == [mode] * 3
    freeze(student, {"visual.1.*": 0.0})
    assert [part.training for part in student.visual.modules()] == [mode, mode, False]


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (
            {"visal.*": 0.1},
            r"found 'visal\.\*', which matches no parameter .* such as scale, visual\.0\.weight, .* did you mean 'visual\.\*'",
        ),
        ({"*": 0.0}, "freezes the whole student; expected a part to train"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused(scales: dict[str, float], message: str) -> None:
    with pytest.raises(KdbenchError, match=f"train.lr_scale: .*{message}"):
        freeze(Towers(), scales)
