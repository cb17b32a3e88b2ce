"""Training data for authors' own tests of a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdbench.contracts import TeacherData
from kdbench.errors import PluginError
from kdbench.testing import Shapes, teacher_data


def test_the_kits_dataset_without_its_test_split(tmp_path: Path) -> None:
    data: TeacherData = teacher_data(tmp_path)
    assert data.size == Shapes().size
    assert len(data.split("train").images) == len(Shapes().split("train").images)
    assert list(data.split("validation").captions) == list(Shapes().split("validation").captions)
    test: Any = "test"
    with pytest.raises(PluginError, match="it may see 'train' and 'validation'"):
        data.split(test)


def test_a_dataset_of_ones_own(tmp_path: Path) -> None:
    class Larger(Shapes):
        fingerprint = "larger"

    assert len(teacher_data(tmp_path, Larger()).split("train").captions) == len(Shapes().split("train").captions)
