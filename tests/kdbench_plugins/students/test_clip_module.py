"""The trainable part of an open_clip student."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.openclip import OpenClip

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


# Tokens

TIMM = {"timm_pool": "avg", "timm_proj": "linear"}
VISIONS: list[tuple[dict[str, Any], bool, tuple[int, int]]] = [  # tower, custom_text, places and width of its last map
    (TIMM | {"timm_model_name": "test_resnet", "timm_model_pretrained": False, "image_size": 48}, False, (4, 96)),  # emoji.yaml
    (TIMM | {"timm_model_name": "mobilenetv2_035", "image_size": 64}, True, (4, 112)),
    ({"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 160}, False, (100, 64)),
    ({"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}, False, (16, 32)),  # open_clip's own
    ({"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}, True, (16, 32)),
    ({"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}, True, (4, 256)),
]
CAPTIONS = ["a cat", "a dog in a very long story that does not fit", "rain"]


@pytest.mark.parametrize(("vision", "custom", "shape"), VISIONS)
def test_embeddings_beside_tokens_are_the_same_to_the_last_bit(
    vision: dict[str, Any], custom: bool, shape: tuple[int, int]
) -> None:
    text = {"context_length": 8, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 2}
    torch.manual_seed(0)
    student = OpenClip(config={"embed_dim": 16, "vision_cfg": vision, "text_cfg": text, "custom_text": custom})
    module = cast(ClipModule, student.module)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    images, texts = student.images.encode(pixels, "cpu"), student.texts.encode(CAPTIONS, "cpu")
    for train in (False, True):
        module.train(train)
        expected = module.encode_image(images), module.encode_text(texts)
        image, image_tokens = module.encode_image_tokens(images)
        embedding, text_tokens, words = module.encode_text_tokens(texts)
        assert image.equal(expected[0])
        assert embedding.equal(expected[1])
        assert image_tokens.shape == (3, *shape)
        assert text_tokens.shape == (3, 8, 24)
        assert words.sum(dim=1).tolist() == [4, 8, 3]  # start, words, end
    # Tokens have their graph too, down to the towers' first layers.
    loss = (image_tokens * torch.randn_like(image_tokens)).sum() + (text_tokens * torch.randn_like(text_tokens)).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    first = [next(module.clip.visual.parameters()), getattr(module.clip, "text", module.clip).token_embedding.weight]
    assert all(weight.grad.abs().sum() > 0 for weight in first)


def test_the_last_word_is_what_the_text_tower_reads(module: ClipModule, texts: Tensor) -> None:
    """The embedding is the projection of the end token, and no later one."""
    with torch.no_grad():
        vectors, tokens, words = module.encode_text_tokens(texts)
    last = tokens[torch.arange(4), words.sum(dim=1) - 1] @ module.clip.text_projection
    torch.testing.assert_close(torch.nn.functional.normalize(last, dim=1), vectors)
    assert words.tolist() == [[True] * 3 + [False] * 5] * 4


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ({"pool_type": "eos", "eos_id": 2}, [[9, 5, 2, 0, 7], [9, 2, 2, 2, 2]], [3, 2]),
        ({"pool_type": "last", "pad_id": 1, "no_causal_mask": True}, [[9, 5, 0, 1, 1], [1, 1, 1, 1, 1]], [3, 0]),
    ],
)
def test_towers_that_end_otherwise(text: dict[str, Any], tokens: list[list[int]], expected: list[int]) -> None:
    cfg = {"context_length": 5, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1} | text
    config = CONFIG | {"text_cfg": cfg, "custom_text": True}
    module = cast(ClipModule, OpenClip(config=config).module)
    words = module.encode_text_tokens(torch.tensor(tokens, dtype=torch.int32))[2]
    assert words.tolist() == [[place < count for place in range(5)] for count in expected]


def test_a_bias_of_the_logits_is_open_clips_parameter(module: ClipModule) -> None:
    assert module.logit_bias is None
    biased = OpenClip(config=CONFIG | {"init_logit_scale": 2.3026, "init_logit_bias": -10.0}).module
    assert cast(Any, biased).logit_bias.item() == -10.0
    assert {"clip.logit_scale", "clip.logit_bias"} <= {name for name, _ in cast(Any, biased).named_parameters()}
