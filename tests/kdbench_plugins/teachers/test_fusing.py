"""What a fused teacher adds to a teacher of the toys, how often it encodes, and what it says of the leak."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench import Modality, PluginError, Towers
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import teach
from kdbench_plugins.teachers.fusing import Beside, Fusion, entropies, fused, leak
from kdbench_plugins.teachers.single_stream import SingleStream
from tests.support.toys import Projection, Sage, batch_of, cached

RECIPE: dict[str, Any] = {"epochs": 3, "batch_size": 16, "lr": 5e-3, "every": 3}


class Patches(Projection):
    """Token features, [B, 2, 3]."""

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality, 6, 3)
        self.key = f"patches {modality}"

    def encode(self, items: Any, device: str) -> Tensor:
        return super().encode(items, device).reshape(-1, 2, 3)


class Made:
    def __init__(self, towers: Towers) -> None:
        self.made = towers

    def towers(self, data: Any) -> Towers:  # noqa: ARG002
        return self.made


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CachedDataset:
    return cached(tmp_path_factory.mktemp("beads"))


def fuse(dataset: CachedDataset, dual: Sage, tokens: tuple[Patches, Patches]) -> Towers:
    data = DatasetTeacherData(Retrieval(), dataset)
    with pytest.warns(KdbenchWarning, match=r"teacher toys: found an in-batch entropy of \d\.\d{3} nats"):
        return fused("toys", data, dual.towers(data), tokens, lambda x, y: SingleStream(x, y, 8, 1, 2), [], RECIPE)


@pytest.fixture(scope="module")
def towers(dataset: CachedDataset) -> Towers:
    return fuse(dataset, Sage(width=6), (Patches("image"), Patches("text")))


def part_of(towers: Towers) -> Fusion:
    assert isinstance(towers.live, Fusion)
    return towers.live


def test_without_projections_it_is_its_dual_stream_teacher(dataset: CachedDataset, towers: Towers) -> None:
    batch = batch_of(torch.arange(8))
    plain = teach(dataset, Made(replace(towers, live=None)), Retrieval()).outputs(batch, "cpu")
    found = teach(dataset, Made(towers), Retrieval()).outputs(batch, "cpu")
    assert (found.image - plain.image).abs().max() > 1e-3
    module = part_of(towers).module
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    for projection in (module.image_projection, module.text_projection):
        nn.init.zeros_(projection.weight)
    try:
        found = teach(dataset, Made(towers), Retrieval()).outputs(batch, "cpu")
    finally:
        module.load_state_dict(kept)
    assert torch.equal(found.image, plain.image)
    assert torch.equal(found.text, plain.text)
    assert found.scale == plain.scale


def test_each_encoder_reads_each_item_once(tmp_path: Path) -> None:
    dataset, dual, tokens = cached(tmp_path), Sage(width=6), (Patches("image"), Patches("text"))
    made = fuse(dataset, dual, tokens)
    teach(dataset, Made(made), Retrieval())
    once = [2, 2, 2, 2]  # a chunk of each split; captions and images of `train` and `validation`
    assert [each.calls for each in (dual.image, dual.text, *tokens)] == once


def test_what_leaks_is_told() -> None:
    assert leak("fused", 2.0, 1.25) == (
        "teacher fused: found an in-batch entropy of 1.250 nats, below the 2.000 of its dual-stream teacher: it has seen both "
        "of a pair, which makes it more certain than a retrieval model can be"
    )
    for higher in (2.0, 2.5):
        assert leak("pmf", 2.0, higher).startswith(
            f"teacher pmf: found an in-batch entropy of {higher:.3f} nats, not below the "
        )
        assert leak("pmf", 2.0, higher).endswith("it has seen both of a pair, which does not make it more certain")


def test_the_entropies_are_those_of_both_teachers(dataset: CachedDataset, towers: Towers) -> None:
    part, data = part_of(towers), DatasetTeacherData(Retrieval(), dataset)
    own = data.encode(towers.image, "train"), data.encode(towers.text, "train")
    read = data.encode(part.images, "train"), data.encode(part.texts, "train")
    plain, found = entropies(data, part, own, read, towers.logit_scale)
    assert found != plain
    module = part.module
    kept = module.image_projection.weight, module.text_projection.weight
    module.image_projection.weight, module.text_projection.weight = (nn.Parameter(torch.zeros_like(value)) for value in kept)
    try:
        assert entropies(data, part, own, read, towers.logit_scale) == pytest.approx((plain, plain), rel=1e-6)
    finally:
        module.image_projection.weight, module.text_projection.weight = kept


def test_items_are_not_encoded_side_by_side() -> None:
    beside = Beside(Projection("image", 6, 0), Patches("image"))
    with pytest.raises(PluginError, match="found items for encoders side by side; expected their stored outputs"):
        beside.encode([], "cpu")
