"""The teacher `fused` with real backbones on the kit's shapes, around drawn embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kdbench import KdbenchError
from kdbench.errors import KdbenchWarning
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.testing.retrieval.teacher_data import teacher_data
from kdbench_plugins.teachers.fused import Fused, kdbench_teachers
from kdbench_plugins.teachers.fusing import Fusion

[OFFER] = kdbench_teachers()
DUAL: dict[str, Any] = {"use": "embeddings", "miniature": True}
SHORT: dict[str, Any] = {"resolution": 64, "length": 3, "epochs": 1, "batch_size": 16, "width": 16, "layers": 1, "heads": 2}


def test_it_reads_the_token_features_of_both_backbones(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = teacher_data(tmp_path_factory.mktemp("shapes"))
    with pytest.warns(KdbenchWarning, match="teacher fused: found an in-batch entropy"):
        live = Fused(teacher=DUAL, **SHORT).towers(data).live
    assert isinstance(live, Fusion)
    images, texts = data.encode(live.images, "train"), data.encode(live.texts, "train")
    assert images.shape[1:] == (4, 1280)
    assert texts.shape[1:] == (3, 384)
    first, short = live.texts.encode(["one two three four five", "a"], "cpu")
    torch.testing.assert_close(first, live.texts.encode(["one two three four five"], "cpu")[0], rtol=1e-4, atol=1e-4)
    assert first.abs().sum(dim=1).gt(0).all()
    assert short.abs().sum(dim=1).gt(0).sum() <= 3
    assert np.isfinite(images).all()


def test_parameters_that_do_not_fit() -> None:
    params = checked_params(OFFER, {"teacher": DUAL, "width": 10, "heads": 4})
    with pytest.raises(KdbenchError, match="width is 10, expected a multiple of heads, which is 4"):
        check_deeper(OFFER, params)
