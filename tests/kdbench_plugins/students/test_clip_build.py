"""Building open_clip models, and what is found out before a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench import KdbenchError
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_build import attempt, check_towers, create, named_config


def config(tower: str = "test_resnet", **vision: Any) -> dict[str, Any]:
    return {
        "embed_dim": 16,
        "vision_cfg": {"timm_model_name": tower, "image_size": 32} | vision,
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }


def checked(found: dict[str, Any]) -> Any:
    clip = create(None, found, None)
    check_towers(clip, found, 8)
    return clip


def test_a_tower_with_a_hidden_head_is_refused_in_words() -> None:
    """open_clip builds this model without a complaint; its first step would fail on 1024 features for 288."""
    with pytest.raises(KdbenchError) as caught:
        checked(config("mobilenetv3_small_050"))
    message = str(caught.value)
    for part in ("'mobilenetv3_small_050'", "1024", "288", "timm_proj: ''", "mobilenetv2_035"):
        assert part in message
    clip = create(None, config("mobilenetv3_small_050"), None)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        clip.encode_image(torch.zeros(2, 3, 32, 32))


@pytest.mark.parametrize("tower", ["mobilenetv3_small_050", "lcnet_050"])
def test_a_hidden_head_may_be_the_projection(tower: str) -> None:
    assert checked(config(tower, timm_proj="")).training


@pytest.mark.parametrize("tower", ["mobilenetv2_035", "test_resnet", "test_efficientnet", "test_vit2"])
def test_towers_that_fit(tower: str) -> None:
    size = {"test_vit2": 64}.get(tower, 32)
    checked(config(tower, image_size=size))


def test_a_picture_size_the_tower_does_not_take() -> None:
    with pytest.raises(KdbenchError, match=r"vit_tiny_patch16_224 of pictures of 32x32 \(vision_cfg.image_size\).*224"):
        checked(config("vit_tiny_patch16_224"))


def test_a_missing_projection() -> None:
    with pytest.raises(KdbenchError, match=r"test_resnet returns shape \[1, \d+\], expected \[1, 16\].*timm_proj"):
        checked(config(timm_proj="none"))


def test_batch_norm_learns_nothing_from_the_check() -> None:
    found = config()
    clip = create(None, found, None)
    before = {name: value.clone() for name, value in clip.state_dict().items()}
    check_towers(clip, found, 8)
    assert all(torch.equal(before[name], value) for name, value in clip.state_dict().items())


def test_numbers_that_make_no_model() -> None:
    found = config()
    found["text_cfg"]["heads"] = 3
    with pytest.raises(KdbenchError, match=r"a model of this config \(.*divisible"):
        create(None, found, None)


def test_names_are_built_by_open_clip_itself(tmp_path: Path) -> None:
    found = config()
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": found}))
    name = f"local-dir:{tmp_path}"
    assert named_config(name) == found
    assert named_config("ViT-B/32") == import_open_clip().get_model_config("ViT-B-32")
    torch.manual_seed(0)
    by_name = create(name, found, None).state_dict()
    torch.manual_seed(0)
    by_config = create(None, found, None).state_dict()
    assert all(torch.equal(by_name[key], by_config[key]) for key in by_config)


def test_errors_that_are_ours_already_pass_through() -> None:
    def fail() -> None:
        raise KdbenchError("said well")

    with pytest.raises(KdbenchError, match=r"^said well$"):
        attempt("anything", fail)
