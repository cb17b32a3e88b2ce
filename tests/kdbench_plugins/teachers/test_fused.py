"""The teacher `fused` on a few emoji with real backbones: one training of both streams."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from kdbench import KdbenchError, Towers
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import teach
from kdbench_plugins.teachers.fused import Fused, Fusion, entropies, kdbench_teachers
from kdbench_plugins.teachers.single_stream import FusedModule, SingleStream
from tests.kdbench_plugins.teachers.test_backbones import FewEmoji
from tests.support.toys import batch_of, cached, random_pairs

[OFFER] = kdbench_teachers()
DUAL: dict[str, Any] = {
    "use": "backbones",
    "image": "efficientnet_lite0",
    "resolution": 32,
    "epochs": 3,
    "batch_size": 32,
    "width": 16,
}
SHORT: dict[str, Any] = {"resolution": 32, "epochs": 4, "batch_size": 32, "width": 16, "layers": 1, "heads": 2, "lr": 5e-3}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CachedDataset:
    return cached(tmp_path_factory.mktemp("few"), FewEmoji())


@pytest.fixture(scope="module")
def told(dataset: CachedDataset) -> tuple[Towers, list[str]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", KdbenchWarning)
        towers = Fused(teacher=DUAL, **SHORT).towers(DatasetTeacherData(Retrieval(), dataset))
    return towers, [str(one.message) for one in found if "entropy" in str(one.message)]


class Made:
    def __init__(self, towers: Towers) -> None:
        self.made = towers

    def towers(self, data: Any) -> Towers:  # noqa: ARG002
        return self.made


def part_of(towers: Towers) -> Fusion:
    assert isinstance(towers.live, Fusion)
    return towers.live


def test_without_projections_it_is_its_dual_stream_teacher(dataset: CachedDataset, told: tuple[Towers, list[str]]) -> None:
    towers, batch = told[0], batch_of(torch.arange(8))
    plain = teach(dataset, Made(replace(towers, live=None)), Retrieval()).outputs(batch, "cpu")
    fused = teach(dataset, Made(towers), Retrieval()).outputs(batch, "cpu")
    assert (fused.image - plain.image).abs().max() > 1e-3
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


def test_what_leaks_is_told(dataset: CachedDataset, told: tuple[Towers, list[str]]) -> None:
    towers, [message] = told
    part, data = part_of(towers), DatasetTeacherData(Retrieval(), dataset)
    read = data.encode(part.images, "train"), data.encode(part.texts, "train")
    plain, fused = entropies(data, part, read, towers.logit_scale)
    assert message.startswith(f"teacher fused: in-batch entropy {fused:.3f} nats, that of its dual-stream teacher {plain:.3f}")
    assert fused != plain


def test_the_single_stream_ignores_padding_and_sees_both() -> None:
    torch.manual_seed(0)
    single = SingleStream(5, 7, 8, 1, 2).eval()
    images, texts = torch.randn(3, 4, 5), torch.randn(3, 6, 7)
    texts[:, 4:] = 0
    found = single(images, texts)
    torch.testing.assert_close(single(images, texts[:, :4]), found)
    assert not torch.allclose(single(images.flip(0), texts), found)
    assert not torch.allclose(single(images, texts.flip(0)), found)


def test_each_loss_has_its_own_parameters() -> None:
    torch.manual_seed(0)
    module = FusedModule(SingleStream(5, 7, 8, 1, 2), 8, 4, [(4, 5), (6, 7)], 10.0)
    pairs = random_pairs(6, 4, dtype=torch.float32)
    images, texts = (torch.cat([own, torch.randn(6, count)], dim=1) for own, count in ((pairs.image, 20), (pairs.text, 42)))
    views = module.encode_views(images, texts)
    torch.testing.assert_close(views[0], pairs.image)
    (views[0] * pairs.text).sum().backward()  # type: ignore[no-untyped-call]
    assert {name for name, p in module.named_parameters() if p.grad is not None} == {"image_projection.weight"}
    module.auxiliary_loss(views, batch_of(torch.arange(6))).backward()  # type: ignore[no-untyped-call]
    learned = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert "score.weight" in learned
    assert "text_projection.weight" not in learned
    assert "fusion.first" in learned


def test_parameters_that_do_not_fit() -> None:
    params = checked_params(OFFER, {"teacher": DUAL, "width": 10, "heads": 4})
    with pytest.raises(KdbenchError, match="width is 10, expected a multiple of heads, which is 4"):
        check_deeper(OFFER, params)
