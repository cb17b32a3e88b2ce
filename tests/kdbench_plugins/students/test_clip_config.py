"""Configs of open_clip's format, checked before a model is built."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench.errors import ParameterError, SuiteError
from kdbench.plugins.loading import installed
from kdbench.suite.check import load_suite
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_config import checked_config
from tests.support.clip_folders import changed

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


NATIVE: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "width": 16, "heads": 2, "layers": 1},
}


@pytest.mark.parametrize(
    ("start", "path", "value", "told"),
    [
        (CONFIG, ("vision_cfg", "width"), 64, "it has no effect with timm_model_name"),
        (CONFIG, ("vision_cfg", "pool_type"), "avg", "it has no effect with timm_model_name"),
        (NATIVE, ("vision_cfg", "timm_pool"), "map", "it has no effect without timm_model_name"),
        (NATIVE, ("text_cfg", "hf_pooler_type"), "cls_pooler", "it has no effect without hf_model_name"),
        (NATIVE, ("vision_cfg", "image_size"), 40, "a multiple of patch_size, which is 16"),
        (NATIVE, ("vision_cfg", "image_size"), [32, 40], "a multiple of patch_size, which is 16"),
        (NATIVE, ("vision_cfg", "width"), 40, "a multiple of head_width, which is 16"),
        (NATIVE, ("vision_cfg", "patch_size"), None, "a multiple of patch_size, which is None"),
        (NATIVE, ("text_cfg", "heads"), 3, "a multiple of heads, which is 3"),
        (NATIVE, ("cast_dtype",), "float16", "has no key 'cast_dtype'"),
    ],
)
def test_what_open_clip_would_ignore_or_round_is_refused(
    start: dict[str, Any], path: tuple[str, ...], value: Any, told: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        checked_config(changed(start, path, value))
    assert told in str(caught.value)
    assert caught.value.path[0] == "config"


def test_a_default_that_is_spelled_out_passes() -> None:
    """Configs that were written out in full, such as those of trained models, are read."""
    for part, config_class in (("vision_cfg", "CLIPVisionCfg"), ("text_cfg", "CLIPTextCfg")):
        every = {field.name: field.default for field in fields(getattr(import_open_clip(), config_class))}
        checked_config(changed(CONFIG, (part,), every | CONFIG[part]))


SUITE = """\
name: tiny
seeds: [0]
datasets:
  - use: emoji
students:
  - name: s
    use: openclip
    config: &config
      quick_gelu: false
      embed_dim: 16
      vision_cfg: {timm_model_name: test_resnet, image_size: 32}
      text_cfg: {context_length: 16, width: 32, heads: 2, layers: 1}
  - {name: f, use: fusion, student: {use: openclip, config: *config}}
teachers:
  t: {use: trained, student: {use: openclip, config: *config}}
teams: [[], [t]]
objective: [{use: feature}]
train: {epochs: 1, batch_size: 4}
"""


PLACES = [
    ("quick_gelu: false", "quick_gelu: no", 9, "students[0].config.quick_gelu"),
    ("image_size: 32", "image_size: '32'", 11, "students[0].config.vision_cfg.image_size"),
    (
        "- {name: f, use: fusion, student: {use: openclip, config: *config}}",
        "- {name: f, use: fusion, student: {use: openclip, config: {<<: *config, quick_gelu: off}}}",
        13,
        "students[1].student.config.quick_gelu",
    ),
    (
        "t: {use: trained, student: {use: openclip, config: *config}}",
        "t: {use: trained, student: {use: openclip, config: {<<: *config, embed_dim: '16'}}}",
        15,
        "teachers.t.student.config.embed_dim",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "where"), PLACES, ids=[where for *_, where in PLACES])
def test_a_suite_is_refused_at_the_line_of_the_value(tmp_path: Path, old: str, new: str, line: int, where: str) -> None:
    path = tmp_path / "suite.yaml"
    assert old in SUITE
    path.write_text(SUITE.replace(old, new, 1))
    with pytest.raises(SuiteError) as caught:
        load_suite(path, installed(), deep=True)
    assert f"{path}:{line}: {where}\n" in str(caught.value)


def test_a_model_of_another_activation_than_its_weights_is_refused_at_its_line(tmp_path: Path) -> None:
    """In students, students of students, and teachers."""
    path = tmp_path / "suite.yaml"
    model = "{use: openclip, model: RN50, pretrained: cc12m}"
    text = SUITE.replace("student: {use: openclip, config: *config}}\nteachers", f"student: {model}}}\nteachers")
    text = text.replace("t: {use: trained, student: {use: openclip, config: *config}}", f"t: {model}")
    path.write_text(text)
    with pytest.raises(SuiteError) as caught:
        load_suite(path, installed(), deep=True)
    for place in (f"{path}:13: students[1].student.model", f"{path}:15: teachers.t.model", "write model: RN50-quickgelu"):
        assert place in str(caught.value)
    path.write_text(text.replace("RN50", "RN50-quickgelu"))
    load_suite(path, installed(), deep=True)


def test_an_override_is_named(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE)
    override = "students[0].config.quick_gelu=no"
    with pytest.raises(SuiteError, match=r"override students\[0\]\.config\.quick_gelu=no"):
        load_suite(path, installed(), [override], deep=True)
