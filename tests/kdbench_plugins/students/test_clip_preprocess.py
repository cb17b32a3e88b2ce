"""The preprocessing of a config is the student's, or is refused with the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from kdbench.errors import ParameterError
from kdbench_plugins.exporters.open_clip_folder import write_open_clip
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.clip_preprocess import own_preprocess
from kdbench_plugins.students.openclip import OpenClip, check, smoke

MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": [32, 48]},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
LOOK = {
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bilinear",
    "resize_mode": "longest",
    "fill_color": 9,
}


def test_the_student_has_it() -> None:
    student: Any = OpenClip(config={"model_cfg": MODEL, "preprocess_cfg": {**LOOK, "size": [32, 48], "mode": "RGB"}})
    config, clip = student.open_clip()
    assert config == {"model_cfg": MODEL, "preprocess_cfg": LOOK}
    assert import_open_clip().get_model_preprocess_cfg(clip)["mean"] == LOOK["mean"]
    black = cast(ClipModule, student.module)._pixels(torch.zeros(1, 1, 1, 3, dtype=torch.uint8))
    torch.testing.assert_close(black.flatten(), -torch.tensor(LOOK["mean"]) / torch.tensor(LOOK["std"]))


def test_none_is_open_clips_default() -> None:
    assert own_preprocess(MODEL) == {}
    assert own_preprocess({"model_cfg": MODEL, "preprocess_cfg": {"mean": None}}) == {}
    plain, empty = OpenClip(config=MODEL), OpenClip(config={"model_cfg": MODEL, "preprocess_cfg": {}})
    assert plain.open_clip()[0] == empty.open_clip()[0]
    assert plain.open_clip()[0]["preprocess_cfg"]["resize_mode"] == "shortest"


def test_a_student_made_of_an_exported_one_reads_pictures_as_that_did(tmp_path: Path) -> None:
    student = OpenClip(config={"model_cfg": MODEL, "preprocess_cfg": LOOK})
    write_open_clip(student, "first", tmp_path)
    second = OpenClip(model=f"local-dir:{tmp_path}")
    assert second.open_clip()[0]["preprocess_cfg"] == LOOK
    assert second.images.key == student.images.key


def test_a_smoke_run_keeps_it() -> None:
    given = {"model": None, "config": {"model_cfg": MODEL, "preprocess_cfg": {**LOOK, "size": [32, 48]}}, "pretrained": None}
    student = OpenClip(**smoke(given))
    assert student.open_clip()[0]["preprocess_cfg"] == LOOK


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"resize_mod": "squash"}, r"has no key 'resize_mod'.*'resize_mode'"),
        ({"resize_mode": "squish"}, r"preprocess_cfg\.resize_mode: found 'squish'; expected one of .*'squash'"),
        ({"interpolation": 3}, r"interpolation: found 3; expected one of bicubic"),
        ({"mode": "L"}, r"mode: found 'L'; expected one of RGB"),
        ({"mean": 0.5}, r"mean: found 0\.5; expected a list of three numbers"),
        ({"mean": ["0.5", 0.5, 0.5]}, "mean: found .*expected a list of three numbers"),
        ({"std": [0.5, 0, 0.5]}, "std: found .*expected a list of three numbers"),
        ({"std": [0.5, True, 0.5]}, "std: found .*expected a list of three numbers"),
        ({"fill_color": 256}, "fill_color: found 256; expected a whole number from 0 to 255"),
        ({"fill_color": True}, "fill_color: found True; expected a whole number"),
        ({"size": 64}, r"size: found 64; expected \[32, 48\], the model's vision_cfg.image_size"),
    ],
)
def test_what_open_clip_would_ignore_or_fail_at_is_refused(wrong: dict[str, Any], says: str) -> None:
    config = {"model_cfg": MODEL, "preprocess_cfg": {**LOOK, **wrong}}
    with pytest.raises(ParameterError, match=says) as caught:
        check(config=config)
    assert caught.value.path[:2] == ("config", "preprocess_cfg")
    with pytest.raises(ParameterError, match=r"config\.preprocess_cfg: found 3; expected a map"):
        own_preprocess({"model_cfg": MODEL, "preprocess_cfg": 3})
