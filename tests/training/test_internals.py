"""Internals are read without a trace: outputs stay, and the gradient is that of the plain sum of losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from kdbench import PluginError, TensorOutputs
from kdbench.suite.settings import Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teachers import teach
from kdbench.training.internals import FirstSamples, StudentForward, tapped, with_internals
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.support.exposing import NAME, Closer, MappedSage, MappedToy
from tests.support.toys import Sage, cached, encoded, module_of, toy

TRAIN: dict[str, Any] = {"epochs": 3, "batch_size": 8, "lr": 1e-12, "weight_decay": 0.0, "precision": "fp32", "clip_norm": 1e9}


def built(folder: Path, strategy: Any, teacher: Any = MappedSage, student: Any = None, **settings: Any) -> Learner:
    torch.manual_seed(0)
    student = student or MappedToy()
    data, split = cached(folder), encoded(folder, student, "train")
    members = [TeamTeacher(name, teach(data, teacher(seed=seed), Retrieval())) for seed, name in enumerate("ab")]
    first = FirstSamples(Retrieval(), student, split, "cpu")
    team = Team(members, [(1.0, Closer())], student.width, 0, "cpu", first)
    return Learner(Retrieval(), student, split, [Stage(Train(**TRAIN | settings), team, strategy)], 0, "cpu")


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("strategy", [Equal, Ammkd])  # the second reads gradients, which the step then reuses
def test_the_gradient_is_that_of_the_plain_sum(strategy: type, tmp_path: Path) -> None:
    one = built(tmp_path, strategy())
    team, student = cast(Team, one.team), cast(MappedToy, one.student)
    weights = one.step(0).weights
    found, module = gradients(one.module) | gradients(one.heads), module_of(student)

    one.optimizer.zero_grad()
    batch, inputs = one.feed.batch(0), one.feed.inputs(0)
    taps = student.taps()
    with tapped(taps, [NAME]) as maps:
        outputs = Retrieval().outputs(student, Retrieval().forward(student, inputs))
    pairs = with_internals(outputs, {NAME: tuple(maps[NAME])}, Retrieval())
    losses = team.losses(pairs, team.outputs(batch), batch)
    assert weights is not None
    total = Retrieval().losses(pairs, batch).mean() + sum(w * each.mean() for w, each in zip(weights, losses, strict=True))
    cast(Tensor, total).backward()  # type: ignore[no-untyped-call]
    expected = gradients(module) | gradients(one.heads)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    assert float(found["first.0.weight"].abs().sum()) > 0


def test_gradients_of_teachers_are_taken_at_internals_too(tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    class Reading(Equal):
        def weigh(self, signal: Any) -> Tensor:
            seen.extend([tuple(signal.gradients.shape), tuple(signal.task_gradient.shape), tuple(signal.embeddings.shape)])
            torch.testing.assert_close(signal.gramian, signal.gradients.double() @ signal.gradients.double().T)
            assert signal.parameter_gramian.shape == (2, 2)
            return super().weigh(signal)

    built(tmp_path, Reading()).step(0)
    size = 2 * 8 * 8 + 8 * 4 * (6 * 6 + 3 * 3)  # embeddings of both towers, maps of both layers
    assert seen == [(2, size), (size,), (2, 8, 8)]


def test_pieces_of_a_batch_give_the_same_maps(tmp_path: Path) -> None:
    whole, pieces = (built(tmp_path, Equal(), **settings) for settings in ({}, {"micro_batch": 3}))
    for one in (whole, pieces):
        for norm in one.module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eval()  # statistics of pieces are another matter
    losses = [float(one.step(0).loss) for one in (whole, pieces)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, value in gradients(whole.module).items():
        torch.testing.assert_close(gradients(pieces.module)[name], value, rtol=1e-4, atol=1e-6)


def test_reading_changes_no_output_and_leaves_no_hook() -> None:
    student = MappedToy()
    module, images = module_of(student), torch.randint(0, 255, (3, 6, 6, 3), dtype=torch.uint8)
    expected = student.module.encode_image(images)
    with tapped(student.taps(), [NAME]) as found:
        assert torch.equal(student.module.encode_image(images), expected)
    assert [tuple(value.shape) for value in found[NAME]] == [(3, 4, 6, 6), (3, 4, 3, 3)]
    assert not any(part._forward_hooks for part in module.modules())


def test_shapes_are_found_without_a_change_of_the_student(tmp_path: Path) -> None:
    student = MappedToy()
    first = FirstSamples(Retrieval(), student, encoded(tmp_path, student, "train"), "cpu")
    before = {name: value.clone() for name, value in module_of(student).state_dict().items()}
    drawn = torch.random.get_rng_state()
    assert first.of_student([NAME]) == {NAME: [(4, 6, 6), (4, 3, 3)]}
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in module_of(student).state_dict().items())
    assert module_of(student).training


def test_who_lacks_internals_is_told(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="teacher a: found no internals; expected maps"):
        built(tmp_path, Equal(), teacher=Sage)
    with pytest.raises(PluginError, match="Toy: found the internals none; expected maps, which the objective reads"):
        built(tmp_path, Equal(), student=toy())
    with pytest.raises(PluginError, match="expected a dataclass with this field"):
        with_internals(object(), {}, Retrieval())
    assert with_internals(TensorOutputs(()), {NAME: ()}, Retrieval()).internals == {NAME: ()}


def test_a_part_that_does_not_run_is_told() -> None:
    student = MappedToy()
    forward = StudentForward(Retrieval(), student, [NAME])
    module: Any = student.module
    module.second.register_forward_pre_hook(lambda *_: None)
    module.first = nn.Conv2d(3, 4, 3, padding=1)  # another part than the tap's
    inputs = torch.zeros(2, 6, 6, 3, dtype=torch.uint8), torch.zeros(2, 6, dtype=torch.long)
    with pytest.raises(PluginError, match="nothing, as its part did not run, expected a tensor with 2 rows"):
        forward(inputs)
