"""Settings of retrieval that do not fit a dataset."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from kdbench import KdbenchError
from kdbench.contracts import Split, SplitName
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses, sigmoid_losses
from kdbench.testing import Shapes
from tests.support.toys import Toy, TwoTowers, batch_of, random_pairs


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
