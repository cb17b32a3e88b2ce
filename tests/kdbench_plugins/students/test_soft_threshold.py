"""The student `soft_threshold`: around open_clip through whole runs, and around students that it cannot prune."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError

from kdbench import KdbenchError, Offer
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import checked_params
from kdbench_plugins.students import layer_pruned
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.openclip import OpenClip
from kdbench_plugins.students.soft_threshold import SoftThreshold, kdbench_students
from kdbench_plugins.students.threshold_components import components
from tests.support.clip_folders import CONFIG
from tests.support.derived import check_resumed, context_of, run_twice, spec_of
from tests.support.export_runs import Trained
from tests.support.toys import bits, module_of, plugged

CLIP = {"use": "openclip", "config": CONFIG}
QUICK: dict[str, Any] = {"start": 0.02, "rate": 100.0, "image": 0.4, "text": 0.2}
OFFERS = [*kdbench_students(), *layer_pruned.kdbench_students()]
[OFFER] = kdbench_students()


class Busy(OpenClip):
    def __init__(self) -> None:
        super().__init__(config=CONFIG)
        cast(Any, self.module).auxiliary_loss = print


class Plain(OpenClip):
    """Is no open_clip model by its own account."""

    open_clip = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(config=CONFIG)


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with building_with(
        context_of(tmp_path_factory.mktemp("plugins"), [*OFFERS, Offer("busy", Busy), Offer("plain", Plain)]).plugins
    ):
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Trained]:
    student = plugged("soft_threshold", student=CLIP, **QUICK)
    return run_twice(tmp_path_factory.mktemp("runs"), spec_of(student), OFFERS)


def zeros(student: Any) -> dict[str, float]:
    """The share of zeros among the pruned weights of each tower."""
    names = {side: [name for part in parts for name in part] for side, parts in components(student).items()}
    weights = {side: [student.module.get_parameter(name) for name in found] for side, found in names.items()}
    return {side: sum(int((w == 0).sum()) for w in found) / sum(w.numel() for w in found) for side, found in weights.items()}


def test_the_students_initial_weights_are_those_it_has_alone() -> None:
    torch.manual_seed(3)
    student = SoftThreshold(student=CLIP)
    torch.manual_seed(3)
    alone = OpenClip(config=CONFIG)
    assert bits(module_of(student.student).state_dict()) == bits(module_of(alone).state_dict())


def test_a_run_resumes_bit_for_bit_and_has_its_zeros(runs: tuple[Trained, Trained]) -> None:
    check_resumed(*runs)
    assert runs[0].record.reconstructions == ["soft_threshold"]
    student = runs[0].student
    assert isinstance(student.module, ClipModule)
    found = zeros(student)
    assert found == pytest.approx({"image": 0.4, "text": 0.2}, abs=0.002)


def test_it_may_be_kept_once_both_towers_have_their_sparsity() -> None:
    assert not SoftThreshold(student=CLIP).ready()
    assert SoftThreshold(student=CLIP, image=0.1, text=0.1, start=0.2).ready()
    assert not SoftThreshold(student=CLIP, image=0.1, text=0.99, start=0.02).ready()


def test_finalizing_twice_gives_the_same_and_leaves_the_training_alone() -> None:
    student = SoftThreshold(student=CLIP, start=0.05)
    before = bits(module_of(student).state_dict())
    one = bits(cast(Any, student.finalize()).state_dict())
    assert bits(cast(Any, student.finalize()).state_dict()) == one
    assert bits(module_of(student).state_dict()) == before
    config, clip = student.open_clip()
    assert config["model_cfg"] == CONFIG
    assert bits({f"clip.{name}": value for name, value in clip.state_dict().items()}) == one


def test_around_the_first_layers_of_a_teacher() -> None:
    inner = {"use": "layer_pruned", "teacher": {"use": "trained", "student": CLIP}, "text": 1}
    student = SoftThreshold(student=inner, start=0.05)
    student.finalize()
    assert student.open_clip()[0]["model_cfg"]["text_cfg"]["layers"] == 1
    assert min(zeros(student.pruned).values()) > 0


def test_what_cannot_be_pruned() -> None:
    with pytest.raises(KdbenchError, match="'busy' has an auxiliary loss already; expected a student without one"):
        SoftThreshold(student={"use": "busy"})
    with pytest.raises(KdbenchError, match="its student, Plain, is not an open_clip model"):
        SoftThreshold(student={"use": "plain"}).open_clip()
    for wrong in ({"image": 1.0}, {"text": 0.0}, {"rate": 0.0}, {"pressure": -1.0}):
        with pytest.raises(ValidationError):
            checked_params(OFFER, {"student": CLIP} | wrong)
