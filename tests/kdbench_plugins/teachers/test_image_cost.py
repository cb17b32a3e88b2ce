"""The cost of a picture, counted without weights, is that of the real model."""

from __future__ import annotations

import open_clip
import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdbench import KdbenchError
from kdbench_plugins.teachers.image_cost import measured
from kdbench_plugins.teachers.openclip import OpenClip
from kdbench_plugins.teachers.tempered import Tempered
from kdbench_plugins.teachers.timm import Timm


def test_of_an_open_clip_model() -> None:
    model = open_clip.create_model("MobileCLIP2-S0").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        width = model.encode_image(torch.zeros(1, 3, 256, 256)).shape[1]
    cost = OpenClip(model="MobileCLIP2-S0", pretrained="dfndr2b").image_cost()
    assert cost.width == width
    assert cost.flops == pytest.approx(counter.get_total_flops(), rel=0.01)  # of fused attention, a part is not counted


def test_of_a_timm_model_and_a_teacher_that_holds_it() -> None:
    model = timm.create_model("mobilenetv3_small_050", num_classes=0).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        width = model(torch.zeros(1, 3, 224, 224)).shape[1]
    cost = Timm(model="mobilenetv3_small_050.lamb_in1k").image_cost()
    assert (cost.width, cost.flops) == (width, counter.get_total_flops())
    outer = Tempered(teacher={"use": "timm", "model": "mobilenetv3_small_050.lamb_in1k"}, temperature=0.5)
    assert outer.image_cost() == cost


def test_a_picture_that_is_not_square() -> None:
    layer = torch.nn.Conv2d(3, 8, 1, device="meta")
    cost = measured(lambda pixels: layer(pixels).mean(dim=(2, 3)), (4, 10))
    assert (cost.width, cost.flops) == (8, 2 * 3 * 8 * 40)


def test_a_model_that_is_unknown() -> None:
    with pytest.raises(KdbenchError, match="mobilenetv3"):
        Timm(model="mobilenetv3_small_51").image_cost()
