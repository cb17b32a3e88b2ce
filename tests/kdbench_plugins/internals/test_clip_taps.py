"""What models of open_clip expose, by their kind of tower."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench import build
from kdbench.plugins.internals import taps_of
from kdbench.training.internals import tapped

TEXT = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
TIMM = {"timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear"}
VISION: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 3},
    "resnet": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "timm resnet": {**TIMM, "timm_model_name": "test_resnet", "image_size": 32},
    "timm vit": {**TIMM, "timm_model_name": "test_vit", "image_size": 32},
}
MAPS = {
    "vit": [(16, 2, 2)] * 3,
    "resnet": [(32, 8, 8), (64, 4, 4), (128, 2, 2), (256, 1, 1)],
    "timm resnet": [(32, 16, 16), (32, 8, 8), (48, 4, 4), (192, 2, 2), (96, 1, 1)],
    "timm vit": [(64, 2, 2)] * 6,
}


@pytest.mark.parametrize("kind", VISION)
def test_maps_attention_and_states_are_read(kind: str) -> None:
    student = build("student", {"use": "openclip", "config": {"embed_dim": 8, "vision_cfg": VISION[kind], "text_cfg": TEXT}})
    taps, module = taps_of(student), student.module.eval()
    pictures = torch.randint(0, 255, (2, student.images.height, student.images.width, 3), dtype=torch.uint8)
    texts = student.texts.encode(["a red heart", "a"], "cpu")
    with torch.no_grad(), tapped(taps, list(taps)) as found:
        module.encode_image(pictures)
        module.encode_text(texts)
    shapes = {name: [tuple(value.shape[1:]) for value in values] for name, values in found.items()}
    assert shapes["maps"] == MAPS[kind]
    assert ("image_attention" in shapes) == ("vit" in kind)
    assert shapes["text_hidden"] == [(8, 16)] * 2
    assert shapes["text_attention"] == [(2, 8, 8)] * 2
    assert found["text_words"][0].sum(dim=1).tolist() == [5, 3]  # with the tokens of the start and the end
    if kind == "vit":  # the patches, in rows, without the class token
        tokens = module.clip.visual.forward_intermediates(module._pixels(pictures), output_fmt="NCHW")["image_intermediates"]
        torch.testing.assert_close(found["maps"], list(tokens))


def test_layers_that_are_computed_again_give_no_attention() -> None:
    config = {"embed_dim": 8, "vision_cfg": VISION["vit"], "text_cfg": TEXT}
    student = build("student", {"use": "openclip", "config": config, "grad_checkpointing": True})
    assert sorted(taps_of(student)) == ["maps", "text_hidden", "text_words"]
