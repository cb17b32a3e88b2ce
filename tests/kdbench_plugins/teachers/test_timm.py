"""The `timm` teacher against timm itself, on random and on real weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from kdbench import KdbenchError, NoTower
from kdbench.testing import conform
from kdbench_plugins.teachers.frozen_image import FrozenImage
from kdbench_plugins.teachers.timm import Timm, check, kdbench_teachers, smoke

PICTURES = [np.random.default_rng(i).integers(0, 256, (40 + 30 * i, 90, 3), dtype=np.uint8) for i in range(3)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return smoke({"model": "vit_small_patch14_dinov2.lvd142m"})


def built(tiny: dict[str, Any]) -> Timm:
    return Timm(model=tiny["model"], weights=Path(tiny["weights"]))


def test_embeddings_are_those_of_timm(tiny: dict[str, Any]) -> None:
    towers = built(tiny).towers(None)  # type: ignore[arg-type]  # it reads no data
    network = timm.create_model("test_vit", num_classes=0, checkpoint_path="").eval()
    state = {name: value for name, value in load_file(tiny["weights"]).items() if not name.startswith("head.")}
    network.load_state_dict(state)
    data: Any = timm.data
    transform = data.create_transform(**data.resolve_model_data_config(network), is_training=False)
    with torch.no_grad():
        features = network(torch.stack([transform(Image.fromarray(picture)) for picture in PICTURES]))
    torch.testing.assert_close(towers.image.encode(PICTURES, "cpu"), features / features.norm(dim=1, keepdim=True))
    assert isinstance(towers.text, NoTower)


def test_real_weights_from_a_file_are_those_of_the_frozen_backbone(tmp_path: Path) -> None:
    backbone = FrozenImage("efficientnet_lite0", 64)
    file = tmp_path / "lite0.safetensors"
    save_file({name: value.contiguous() for name, value in backbone.network.state_dict().items()}, file)
    network = Timm(model="tf_efficientnet_lite0", weights=file).load()
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = backbone.network.forward_head(backbone.network.forward_features(pixels), pre_logits=True)
        torch.testing.assert_close(network(pixels), expected, rtol=1e-4, atol=1e-4)


def test_conform(tiny: dict[str, Any]) -> None:
    (offer,) = kdbench_teachers()
    found = conform(offer, "teacher", tiny)
    assert [finding for finding in found if finding.outcome != "holds"] == []


def test_a_file_of_another_model_is_refused(tiny: dict[str, Any]) -> None:
    with pytest.raises(KdbenchError, match=r"could not be loaded .* expected a file with this model's weights"):
        Timm(model="test_resnet", weights=Path(tiny["weights"])).load()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"model": "vit_smal_patch14_dinov2"},
            r"no model 'vit_smal_patch14_dinov2' .* did you mean 'vit_small_patch14_dinov2'",
        ),
        ({"model": "vit_small_patch14_dinov2.lvd14m"}, r"no weights 'lvd14m' .* did you mean 'lvd142m'"),
        ({"model": "test_vit", "weights": Path("nowhere.pt")}, r"'nowhere\.pt': found no such file"),
    ],
)
def test_check_names_what_is_wrong(params: dict[str, Any], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        check(**params)


def test_check_accepts_published_weights() -> None:
    check(model="vit_small_patch14_dinov2.lvd142m")
    check(model="resnet50")
