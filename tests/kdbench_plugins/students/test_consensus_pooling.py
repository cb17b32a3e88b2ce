"""The student `consensus_pooling` around open_clip, through whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError

from kdbench import KdbenchError
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import checked_params
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import Shapes
from kdbench_plugins.students.caption_concepts import correlations
from kdbench_plugins.students.consensus_pooling import ConsensusPooling, kdbench_students
from kdbench_plugins.students.openclip import OpenClip
from tests.support.clip_folders import CONFIG
from tests.support.derived import check_resumed, context_of, run_twice, spec_of
from tests.support.export_runs import Trained
from tests.support.toys import bits, module_of, plugged

CLIP = {"use": "openclip", "config": CONFIG}
SMALL: dict[str, Any] = {"heads": 2, "hidden": 8, "concepts": 5}
[OFFER] = kdbench_students()


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with building_with(context_of(tmp_path_factory.mktemp("plugins"), kdbench_students()).plugins):
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Trained]:
    spec = spec_of(plugged("consensus_pooling", student=CLIP, **SMALL))
    return run_twice(tmp_path_factory.mktemp("runs"), spec, kdbench_students())


def test_the_students_initial_weights_are_those_it_has_alone() -> None:
    torch.manual_seed(3)
    student = ConsensusPooling(student=CLIP, **SMALL)
    torch.manual_seed(3)
    assert bits(module_of(student.student).state_dict()) == bits(module_of(OpenClip(config=CONFIG)).state_dict())


def test_all_parts_learn() -> None:
    student = ConsensusPooling(student=CLIP, **SMALL)
    module = module_of(student).train()
    images = torch.randint(0, 256, (4, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    texts = student.texts.encode(["a cat", "two dogs", "rain", "a very long story about a red ball"], "cpu")
    direction = torch.linspace(-1, 1, 64).view(4, 16)
    (student.module.encode_image(images) * direction + student.module.encode_text(texts) * direction).sum().backward()  # type: ignore[no-untyped-call]
    still = [name for name, value in module.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert still == ["student.clip.logit_scale"]


def test_concepts_are_counted_in_the_training_captions(tmp_path: Path) -> None:
    data = CachedDataset(Shapes(), Cache(tmp_path))
    student: Any = ConsensusPooling(student=CLIP, **SMALL)
    known = student.training.consensus.concepts
    assert torch.equal(known.correlations, torch.eye(5))
    Retrieval().prepare(data, student)
    expected = correlations(data.split("train").captions, 5)
    assert torch.equal(known.correlations, torch.from_numpy(expected))
    assert not torch.equal(known.correlations, torch.eye(5))


def test_a_run_resumes_bit_for_bit_and_keeps_no_graph(runs: tuple[Trained, Trained]) -> None:
    check_resumed(*runs)
    assert runs[0].record.reconstructions == ["consensus_pooling"]
    state = runs[0].student.module.state_dict()
    assert [name for name in state if "concepts" in name] == ["consensus.concepts.vectors"]


def test_what_cannot_be_pooled() -> None:
    with pytest.raises(KdbenchError, match="found 'toy' without encode_image_tokens and encode_text_tokens in its module"):
        ConsensusPooling(student={"use": "toy"})
    for wrong in ({"heads": 0}, {"hidden": 0}, {"concepts": -1}):
        with pytest.raises(ValidationError):
            checked_params(OFFER, {"student": CLIP} | cast(dict[str, Any], wrong))
