"""A student that reads its training data before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench import Offer, PluginError, TeacherData
from kdbench.runs.execute import execute
from kdbench.suite.settings import Views
from kdbench.tasks.retrieval import Retrieval
from tests.support.toys import Toy, TwoTowers, cached, plugged, run_context, run_spec, toy

SEEN: list[Any] = []


class Prepared(Toy):
    """Starts from the mean picture of the train split, and draws random numbers meanwhile, if it is to."""

    def __init__(self, *, draws: int = 0, split: str = "train") -> None:
        super().__init__(TwoTowers(8), 8)
        self.draws, self.name = draws, split

    def prepare(self, data: TeacherData) -> None:
        split: Any = self.name
        images = np.asarray(data.encode(self.images, split))
        SEEN.append((len(images), [len(data.split(name).captions) for name in ("train", "validation")]))
        torch.rand(self.draws)
        module: Any = self.module
        with torch.no_grad():
            module.image_tower.bias += float(images.mean()) / 255


OFFERS: list[Any] = [Offer("prepared", Prepared)]


def test_it_is_called_once_with_data_without_views_and_without_the_test_split(tmp_path: Path) -> None:
    SEEN.clear()
    student = Prepared()
    before = student.module.image_tower.bias.clone()  # type: ignore[attr-defined]
    Retrieval().prepare(cached(tmp_path).viewed(Views(count=2)), student)
    assert SEEN == [(32, [48, 36])]
    assert not torch.equal(student.module.image_tower.bias, before)  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="asked for the 'test' split"):
        Retrieval().prepare(cached(tmp_path), Prepared(split="test"))
    Retrieval().prepare(cached(tmp_path), toy())  # nothing to do


def test_a_run_prepares_its_student_and_its_draws_stay(tmp_path: Path) -> None:
    SEEN.clear()
    where = run_context(tmp_path, students=OFFERS)
    found = [execute(run_spec(student=plugged("prepared", draws=draws)), where) for draws in (0, 5)]
    plain = execute(run_spec(), where)
    assert len(SEEN) == 2
    assert found[0].arrays_sha256 == found[1].arrays_sha256 != plain.arrays_sha256
    assert found[0].status == "ok"
