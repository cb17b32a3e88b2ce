"""The teacher `pmf` over a small open_clip model that is trained on the toys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kdbench import KdbenchError, Towers, build
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning, ParameterError
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import teach
from kdbench_plugins.students import openclip
from kdbench_plugins.teachers import pmf, trained
from kdbench_plugins.teachers.pmf import PMF
from kdbench_plugins.teachers.prompted_layers import PromptedTowers
from tests.kdbench_plugins.teachers.test_prompted_layers import CLIP, WIDTHS
from tests.support.clip_folders import clip_folder
from tests.support.toys import batch_of, bits, cached, toy_plugins

[OFFER] = pmf.kdbench_teachers()
TEACHER: dict[str, Any] = {"use": "trained", "student": {"use": "openclip", "config": CLIP}, "epochs": 1, "batch_size": 16}
SHORT: dict[str, Any] = {"layers": 2, "query": 2, "context": 1, "fusion": 3, "epochs": 2, "batch_size": 16, "lr": 1e-2}


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(teachers=[*trained.kdbench_teachers(), OFFER], students=openclip.kdbench_students())):
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CachedDataset:
    return cached(tmp_path_factory.mktemp("beads"))


def prepared(dataset: CachedDataset, **params: Any) -> Towers:
    with pytest.warns(KdbenchWarning, match="teacher pmf: found an in-batch entropy"):
        return PMF(teacher=TEACHER, **SHORT | params).towers(DatasetTeacherData(Retrieval(), dataset))


@pytest.fixture(scope="module")
def towers(dataset: CachedDataset) -> Towers:
    return prepared(dataset)


def test_what_is_frozen_stays_to_the_last_bit(dataset: CachedDataset, towers: Towers) -> None:
    whole: Any = build("teacher", TEACHER).towers(DatasetTeacherData(Retrieval(), dataset)).image
    clip, live = whole.module.clip, towers.live
    assert live is not None
    fusion = live.module.fusion  # type: ignore[attr-defined]
    assert bits(fusion.image.frozen.state_dict()) == bits(clip.visual.transformer.resblocks[1:].state_dict())
    assert bits(fusion.text.frozen.state_dict()) == bits(clip.transformer.resblocks[1:].state_dict())
    assert bits(fusion.image.norm.state_dict()) == bits(clip.visual.ln_post.state_dict())
    assert bits(live.images.module.state_dict()) == bits(whole.module.state_dict())  # type: ignore[attr-defined]
    torch.manual_seed(0)
    first = PromptedTowers(clip, 2, (2, 1, 3), None)  # as it was before its training
    for name, value in fusion.named_parameters():
        frozen = ".frozen." in name or ".norm." in name
        assert torch.equal(value, first.get_parameter(name)) == frozen, name


def test_the_formula_counts_all_that_is_trained(dataset: CachedDataset, towers: Towers) -> None:
    live: Any = towers.live
    frozen = (".frozen.", ".norm.")
    found = sum(p.numel() for name, p in live.module.named_parameters() if not any(part in name for part in frozen))
    (layers, q, c, f), m, d = (SHORT[name] for name in ("layers", "query", "context", "fusion")), 8, CLIP["embed_dim"]
    assert found == layers * ((q + c + f + 2 * m + 1) * WIDTHS + 2 * m) + WIDTHS * (2 * d + 1) + 1
    assert len(dataset.split("train").images) == len(dataset.encode(live.images, "train"))


def test_its_towers_are_those_of_the_dual_stream_teacher(dataset: CachedDataset, towers: Towers) -> None:
    data = DatasetTeacherData(Retrieval(), dataset)
    own = build("teacher", TEACHER).towers(data)
    assert (towers.image.key, towers.text.key, towers.logit_scale) == (own.image.key, own.text.key, own.logit_scale)
    sage = {"use": "sage", "width": 6}
    other = prepared(dataset, dual=sage)
    assert (other.image.key, other.text.key) == ("projection image 6 0", "projection text 6 0")

    class Made:
        def towers(self, data: Any) -> Towers:  # noqa: ARG002
            return other

    batch = batch_of(torch.arange(8))
    plain = teach(dataset, build("teacher", sage), Retrieval()).outputs(batch, "cpu")
    found = teach(dataset, Made(), Retrieval()).outputs(batch, "cpu")
    assert (found.image - plain.image).abs().max() > 1e-3


def test_towers_of_a_published_model(dataset: CachedDataset, tmp_path: Path) -> None:
    model = clip_folder(tmp_path, CLIP)
    params = SHORT | {"teacher": {"use": "openclip", "model": model}, "dual": {"use": "sage"}, "layers": 1, "epochs": 1}
    with pytest.warns(KdbenchWarning, match="teacher pmf"):
        live: Any = PMF(**params).towers(DatasetTeacherData(Retrieval(), dataset)).live
    kept = load_file(tmp_path / "open_clip_model.safetensors")
    last = {name: kept[f"visual.transformer.resblocks.2.{name}"] for name in live.module.fusion.image.frozen[0].state_dict()}
    assert bits(live.module.fusion.image.frozen[0].state_dict()) == bits(last)


@pytest.mark.parametrize(
    ("part", "changed", "found"),
    [
        ("vision_cfg", {"timm_model_name": "test_resnet"}, "'test_resnet' as layers of vision_cfg; expected 2"),
        ("vision_cfg", {"layers": [1, 1, 1, 1]}, r"\[1, 1, 1, 1\] as layers of vision_cfg"),
        ("text_cfg", {"layers": 1}, "1 as layers of text_cfg; expected 2 or more of open_clip's own"),
        ("text_cfg", {"embed_cls": True}, "'embed_cls' as layers of text_cfg"),
    ],
)
def test_towers_without_layers_to_prompt(part: str, changed: dict[str, Any], found: str) -> None:
    config = CLIP | {part: CLIP[part] | changed}
    params = checked_params(OFFER, {"teacher": {"use": "trained", "student": {"use": "openclip", "config": config}}})
    with pytest.raises(KdbenchError, match=f"teacher pmf: found {found}"):
        check_deeper(OFFER, params)


def test_teachers_that_are_no_open_clip_model() -> None:
    with pytest.raises(ParameterError, match="teacher pmf"):
        check_deeper(OFFER, checked_params(OFFER, {"teacher": {"use": "sage"}}))
