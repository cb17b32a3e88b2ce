"""A student at inference: its parts with their inputs, and a module that is left in its modes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdbench.deploy.profile.inference import at_inference, in_eval_mode, run_once
from kdbench.tasks.retrieval import Retrieval
from tests.support.regression_task import Perceptron, Regression
from tests.support.toys import BEADS, TwoTowers, module_of, towers_of, toy

SAMPLES = {"size": BEADS, "captions": ["train string red green blue red green blue", "train chain blue blue blue blue red red"]}


def test_parts_are_those_of_the_task() -> None:
    student = toy()
    inference = at_inference(student, Retrieval(), SAMPLES, 3)
    assert list(inference.parts) == ["image", "text"]
    assert inference.module is module_of(student)
    assert inference.width == 8
    assert inference.inputs("image", 2).shape == (2, BEADS, BEADS, 3)
    assert torch.equal(inference.inputs("text", 3)[0], inference.inputs("text", 3)[2])  # captions over and over
    texts = inference.inputs("text", 2)
    assert torch.equal(inference.run("text", texts), student.module.encode_text(texts))


def test_no_more_inputs_than_were_drawn() -> None:
    inference = at_inference(toy(), Retrieval(), SAMPLES, 2)
    with pytest.raises(ValueError, match="part 'text': found 2 inputs, expected at least 3"):
        inference.inputs("text", 3)
    single = inference.first(1)
    assert [len(part.inputs) for part in single.parts.values()] == [1, 1]
    assert [len(part.inputs) for part in inference.parts.values()] == [2, 2]


def test_a_student_is_finalized() -> None:
    class Finalized:
        width = 4
        images, texts = toy().images, toy().texts
        module = TwoTowers(8)
        left = TwoTowers(4)

        def finalize(self) -> nn.Module:
            return self.left

    assert at_inference(Finalized(), Retrieval(), SAMPLES, 1).module is Finalized.left


def test_a_task_without_parts() -> None:
    inference = at_inference(Perceptron(), Regression(), {}, 1)
    assert (inference.parts, inference.width) == ({}, None)


def test_modes_are_restored_part_by_part() -> None:
    module = towers_of(toy(dropout=0.5))
    module.dropout.eval()
    modes = [part.training for part in module.modules()]
    with in_eval_mode(module):
        assert not any(part.training for part in module.modules())
    assert [part.training for part in module.modules()] == modes
    assert any(modes)
    assert not all(modes)


def test_every_part_runs_once_in_eval_mode_without_gradients() -> None:
    seen = []

    class Watched(TwoTowers):
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(("image", len(images), self.training, torch.is_grad_enabled()))
            return super().encode_image(images)

        def encode_text(self, texts: torch.Tensor) -> torch.Tensor:
            seen.append(("text", len(texts), self.training, torch.is_grad_enabled()))
            return super().encode_text(texts)

    student = toy()
    student.module = Watched(8)
    run_once(at_inference(student, Retrieval(), SAMPLES, 2))
    assert seen == [("image", 1, False, False), ("text", 1, False, False)]
