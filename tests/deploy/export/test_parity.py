"""Agreement and difference of an exported model with the student it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.contracts.exporter import TOLERANCE, ExportContext, ExportedModel
from kdbench.deploy.export.parity import agreement, arrays_of, check_difference
from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval import Retrieval
from tests.support.toys import encoded, toy


def ranks(*values: int) -> Any:
    return np.array(values, dtype=np.int32)


def context(encoded: Any = None) -> ExportContext:
    return ExportContext(Path(), "toy", "0" * 12, "a label", Retrieval(), None, encoded, 7)


def test_agreement_is_the_share_of_equal_ranks() -> None:
    one, other = {"text": ranks(1, 2, 3, 4), "image": ranks(1, 1)}, {"text": ranks(1, 2, 3, 5), "image": ranks(2, 1)}
    assert agreement(one, other) == {"text": 0.75, "image": 0.5}
    with pytest.raises(KdbenchError, match=r"'text': \[4\], 'image': \[2\].* expected .*'text': \[2\], 'image': \[4\]"):
        agreement(one, {"text": one["image"], "image": one["text"]})
    with pytest.raises(KdbenchError, match="those of the record"):
        agreement(one, {"text": one["text"]})


def test_values_that_are_no_ranks_agree_within_the_tolerance() -> None:
    found, expected = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0 + TOLERANCE / 2, 2.0 + 2 * TOLERANCE, math.nan])
    assert agreement({"mse": found}, {"mse": expected}) == {"mse": 0.5}


@pytest.mark.parametrize("difference", [2 * TOLERANCE, math.nan, math.inf])
def test_other_outputs_are_refused(difference: float) -> None:
    with pytest.raises(KdbenchError, match=r"the student 'toy', exported and loaded again, returns other outputs"):
        check_difference(ExportedModel(toy(), None, difference), context())
    check_difference(ExportedModel(toy(), None, TOLERANCE), context())
    check_difference(ExportedModel(toy(), None), context())


def test_outputs_that_are_not_finite(tmp_path: Path) -> None:
    split = encoded(tmp_path, toy(), "test")
    assert set(arrays_of(ExportedModel(toy(), split), context())) == {"text", "image"}
    with pytest.raises(KdbenchError, match=r"'toy', exported and loaded again \(float32\): the student's embeddings are not"):
        arrays_of(ExportedModel(toy(poisoned=True), split), context())
