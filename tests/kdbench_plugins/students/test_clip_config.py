"""Configs of open_clip's format, checked before a model is built."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_config import checked_config

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "image_size": 32},
    "text_cfg": {"context_length": 8, "width": 16, "heads": 2, "layers": 1},
}


def test_a_copy_is_returned() -> None:
    found = checked_config(CONFIG)
    assert found == CONFIG
    found["vision_cfg"]["image_size"] = 1
    assert CONFIG["vision_cfg"]["image_size"] == 32


def test_what_open_clip_writes_is_read() -> None:
    assert checked_config({"model_cfg": CONFIG, "preprocess_cfg": {}}) == CONFIG


def test_every_config_of_open_clip_passes() -> None:
    open_clip = import_open_clip()
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if "multimodal_cfg" not in config:
            assert checked_config(config) == config, name


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.pop("embed_dim"), "lacks 'embed_dim'"),
        (lambda c: c.update(embed_dims=3), r"config has no key 'embed_dims'; did you mean 'embed_dim'\?"),
        (lambda c: c["vision_cfg"].update(img_size=3), r"vision_cfg has no key 'img_size'; did you mean 'image_size'\?"),
        (lambda c: c["text_cfg"].update(head=3), r"text_cfg has no key 'head'; did you mean 'heads'\?"),
        (lambda c: c.update(vision_cfg="RN50"), r"config\.vision_cfg: found 'RN50'; expected a map"),
        (lambda c: c.update(multimodal_cfg={}), "two-tower"),
        (lambda c: c["vision_cfg"].update(timm_model_name="mobilenetv2_35"), r"did you mean 'mobilenetv2_035'\?"),
    ],
)
def test_mistakes_are_named(spoil: Callable[[dict[str, Any]], Any], message: str) -> None:
    config = deepcopy(CONFIG)
    spoil(config)
    with pytest.raises(KdbenchError, match=message):
        checked_config(config)
