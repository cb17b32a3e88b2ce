"""The trainable part of an open_clip student."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.openclip import OpenClip

torch.set_num_threads(1)
CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "mobilenetv2_035", "image_size": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def module() -> ClipModule:
    torch.manual_seed(0)
    return cast(ClipModule, OpenClip(config=CONFIG).module).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def texts() -> Tensor:
    """Tokens with an end, as open_clip pads them."""
    return torch.tensor([[49406, 5 + i, 49407, 0, 0, 0, 0, 0] for i in range(4)], dtype=torch.int32)


def test_unit_vectors(module: ClipModule, images: Tensor, texts: Tensor) -> None:
    for vectors in (module.encode_image(images), module.encode_text(texts)):
        assert vectors.shape == (4, 16)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))


def test_pixels_are_normalised_as_open_clip_does(module: ClipModule, images: Tensor, texts: Tensor) -> None:
    """Against open_clip's own transform on the resized picture, in its own order of axes."""
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    transform = image_transform_v2(PreprocessCfg(**module.clip.visual.preprocess_cfg), is_train=False)
    pixels = torch.stack([transform(Image.fromarray(image.numpy())) for image in images])
    with torch.no_grad():
        torch.testing.assert_close(module.encode_image(images), module.clip.encode_image(pixels, normalize=True))
        torch.testing.assert_close(module.encode_text(texts), module.clip.encode_text(texts.long(), normalize=True))


def test_channels_last_from_the_pixels_to_the_last_filter(module: ClipModule, images: Tensor) -> None:
    order = torch.channels_last
    filters = [p for p in module.clip.visual.parameters() if p.dim() == 4]
    assert all(weight.is_contiguous(memory_format=order) for weight in filters)
    seen: list[Tensor] = []
    handle = module.clip.visual.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    module.encode_image(images)
    handle.remove()
    assert seen[0].is_contiguous(memory_format=order)


def test_the_scale_is_open_clips_parameter(module: ClipModule) -> None:
    assert module.logit_scale is module.clip.logit_scale
    assert sum(p is module.logit_scale for p in module.parameters()) == 1
    assert set(module.state_dict()) == {f"clip.{name}" for name in module.clip.state_dict()}
