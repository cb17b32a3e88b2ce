"""The student `l_lora`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.functional import jvp

from kdbench.plugins.building import building_with
from kdbench.testing import check_student
from kdbench_plugins.students.l_lora import LinearLora, kdbench_students
from kdbench_plugins.students.low_rank import LowRank
from tests.support.adapted import BLOCKED, check_a_run, embedded, moved
from tests.support.toys import bits, module_of, toy_plugins

PLUGINS = toy_plugins(students=[BLOCKED, *kdbench_students()])


def build(**params: Any) -> LinearLora:
    torch.manual_seed(0)
    with building_with(PLUGINS):
        return LinearLora(student={"use": "blocked"}, **params)


def test_the_properties_of_a_student() -> None:
    with building_with(PLUGINS):
        check_student(lambda: LinearLora(student={"use": "blocked"}))


def test_it_is_the_first_order_expansion_of_lora_where_the_gradient_of_a_is_zero() -> None:
    x, weight = torch.randn(5, 6), torch.randn(4, 6)
    layer = LowRank(weight, 2, 0.5, linear=True)
    torch.nn.init.normal_(layer.B)
    a, change = layer.A.detach(), torch.randn(2, 6)

    def lora(a: Tensor, b: Tensor) -> Tensor:
        return x @ (weight + 0.5 * b @ a).T

    start, away = (a, torch.zeros(4, 2)), (change, layer.B.detach())
    value, slope = jvp(lora, start, away)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(x @ layer(weight).T, value + slope)
    torch.testing.assert_close(x @ layer(weight).T, x @ weight.T + 0.5 * x @ a.T @ layer.B.T)
    _, slope = jvp(lora, start, (change, torch.zeros(4, 2)))  # type: ignore[no-untyped-call]
    assert slope.abs().max() == 0


def test_the_output_of_a_layer_is_affine_in_what_is_trained() -> None:
    x, weight = torch.randn(5, 6), torch.randn(4, 6)
    layer = LowRank(weight, 2, 0.5, linear=True)
    moved_to = torch.randn(4, 2)

    def output(share: float) -> Tensor:
        with torch.no_grad():
            layer.B.copy_(share * moved_to)
            found: Tensor = x @ layer(weight).T
            return found

    for share in (-1.0, 0.3, 2.0):
        torch.testing.assert_close(output(share), output(0.0) + share * (output(1.0) - output(0.0)))


def test_a_is_kept_as_drawn() -> None:
    student = build()
    first = {name: value for name, value in bits(module_of(student).state_dict()).items() if name.endswith(".A")}
    assert len(first) == 9
    moved(student.module)
    after = bits(module_of(student).state_dict())
    assert {name: after[name] for name in first} == first
    expected = embedded(student.module)
    assert embedded(student.finalize()).equal(expected)


def test_a_run_resumes(tmp_path: Path) -> None:
    check_a_run("l_lora", kdbench_students(), tmp_path, rank=2)
