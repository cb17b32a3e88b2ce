"""Settings of retrieval that do not fit a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from kdbench import KdbenchError
from kdbench.contracts import Split, SplitName
from kdbench.data.folded import FoldedDataset, FoldedSource
from kdbench.errors import PluginError
from kdbench.tasks.compositional import Compositional
from kdbench.tasks.judged import Judged
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses, sigmoid_losses
from kdbench.tasks.zero_shot import ZeroShot
from kdbench.testing import Shapes
from tests.support.regression_task import Regression
from tests.support.toys import Toy, TwoTowers, batch_of, cached, random_pairs


class Crowded(Shapes):
    """Every split's images and captions are of one concept, and there are `crowd` captions."""

    crowd = 256

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        concepts = np.zeros(self.crowd, dtype=np.int64)
        return Split(found.images, ["a bead"] * self.crowd, np.zeros(len(found.images), dtype=np.int64), concepts)


class TooCrowded(Crowded):
    crowd = 257


def test_a_query_with_more_positives_than_are_stored_is_refused_in_check() -> None:
    task = Retrieval(recall_at=[1], positives=True)
    assert list(task.misfits(Crowded(), None, ("test",))) == []
    [(path, found, expected)] = task.misfits(TooCrowded(), None, ("test",))
    assert (path, found) == ("evaluate.positives", True)
    assert "a query of {dataset} has 257 positives, at most 256 are stored" in expected
    assert list(Retrieval(recall_at=[1]).misfits(TooCrowded(), None, ("test",))) == []


def test_the_loss_named_siglip_reads_the_bias_of_a_student_that_has_one() -> None:
    task, given, batch = Retrieval(), random_pairs(4, 3), batch_of(torch.tensor([0, 1, 0, 2]))
    module: Any = TwoTowers(3)
    plain = task.outputs(Toy(module, 3), given.tensors)
    module.logit_bias = nn.Parameter(torch.tensor(-5.0))
    biased = task.outputs(cast(Any, Toy(module, 3)), given.tensors)
    assert (len(plain.learned), len(biased.learned)) == (1, 2)
    assert torch.equal(task.train_losses(plain, batch, "siglip"), sigmoid_losses(plain, batch.same))
    assert not torch.allclose(task.train_losses(biased, batch, "siglip"), task.train_losses(plain, batch, "siglip"))
    for outputs in (plain, biased):
        assert torch.equal(task.train_losses(outputs, batch, "clip"), pair_losses(outputs, batch.same))
        assert torch.equal(task.losses(outputs, batch), pair_losses(outputs, batch.same))
        with pytest.raises(KdbenchError, match=r"train\.loss: found 'siglib'; expected clip or siglip"):
            task.train_losses(outputs, batch, "siglib")


def test_datasets_are_dealt_into_folds_opened_or_not(tmp_path: Path) -> None:
    """The sizes and units of a fold are those of its test split. Tasks that are evaluated alone have nothing to divide."""
    task, data = Retrieval(), cached(tmp_path)
    fold, source = task.folded(data, 1, 4), task.folded(data.source, 1, 4)
    assert (type(fold), type(source)) == (FoldedDataset, FoldedSource)
    concepts = fold.split("test").image_concepts
    assert (
        task.sizes(cast(Any, fold))
        == task.sizes(cast(Any, source))
        == {
            "images": len(concepts),
            "captions": 3 * len(concepts) // 2,
            "concepts": len(concepts) // 2,
        }
    )
    np.testing.assert_array_equal(task.units(cast(Any, fold))["images"], concepts)
    assert [one.folds for one in (Retrieval, ZeroShot, Compositional, Judged, Regression)] == [True, False, False, False, False]
    with pytest.raises(PluginError, match="the task 'regression' deals no dataset into folds; leave `folds:` out"):
        Regression().folded(data, 0, 4)
