"""What the students say of themselves as models of open_clip."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from kdbench import KdbenchError, Offer
from kdbench.plugins.building import building_with
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_module import ClipModule
from kdbench_plugins.students.fusion import Fusion
from kdbench_plugins.students.openclip import OpenClip, kdbench_students
from tests.support.toys import toy_plugins

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": [32, 48]},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


class Tokenised(torch.nn.Module):
    """Token features of nothing in particular."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(10)))

    def encode_image_tokens(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(len(images), 8), torch.ones(len(images), 3, 8)

    def encode_text_tokens(self, texts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return torch.ones(len(texts), 8), torch.ones(len(texts), 3, 8), torch.ones(len(texts), 3) > 0


class Plain(OpenClip):
    """Reads what the student of open_clip reads, and is not one."""

    open_clip = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(config=CONFIG)
        self.width = 8
        self.module = cast(Any, Tokenised())


def test_config_and_weights_are_the_students_own() -> None:
    student = OpenClip(config=CONFIG)
    config, clip = student.open_clip()
    assert config["model_cfg"] == CONFIG
    assert clip is cast(ClipModule, student.module).clip
    config["model_cfg"]["text_cfg"]["layers"] = 9
    assert student.config == CONFIG  # what is handed out may be changed


def test_preprocessing_gives_the_pixels_that_the_tower_reads() -> None:
    student = OpenClip(config=CONFIG)
    config, _ = student.open_clip()
    open_clip = import_open_clip()
    transform = open_clip.image_transform((32, 48), is_train=False, **config["preprocess_cfg"])
    picture = np.random.default_rng(0).integers(0, 256, (1, 70, 70, 3), dtype=np.uint8)
    module = cast(ClipModule, student.module)
    expected = module._pixels(student.images.encode(picture, "cpu"))[0]
    torch.testing.assert_close(transform(Image.fromarray(picture[0])), expected, atol=1e-6, rtol=0)


def test_mean_deviation_and_interpolation_of_a_named_model() -> None:
    student = OpenClip(model="ViT-S-32-alt")
    preprocess = student.open_clip()[0]["preprocess_cfg"]
    own = import_open_clip().get_model_preprocess_cfg(cast(ClipModule, student.module).clip)
    assert preprocess["interpolation"] == own["interpolation"] == "bicubic"
    assert (tuple(preprocess["mean"]), tuple(preprocess["std"])) == (tuple(own["mean"]), tuple(own["std"]))


def test_a_fused_student_gives_the_one_in_it() -> None:
    with building_with(toy_plugins(students=kdbench_students())):
        student = Fusion(student={"use": "openclip", "config": CONFIG}, width=8, heads=2)
    config, clip = student.open_clip()
    assert config["model_cfg"] == CONFIG
    assert clip is cast(Any, student.finalize()).clip


def test_a_fused_student_of_another_kind() -> None:
    with building_with(toy_plugins(students=[Offer("plain", Plain)])):
        student = Fusion(student={"use": "plain"}, width=8, heads=2)
    with pytest.raises(KdbenchError, match="found a student, Plain, that is not an open_clip model"):
        student.open_clip()
