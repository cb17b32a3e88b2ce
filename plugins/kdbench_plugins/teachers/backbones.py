"""The teacher `backbones`: two pre-trained backbones, frozen, joined by small projections trained on the dataset.

It stands for AMMKD's "two CLIP teachers, pre-trained on the task" where no CLIP weights can be downloaded: what it knows
comes from ImageNet and from a sentence corpus, and the projections bring the two into one space.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

from kdbench import Encoder, KdbenchError, Lesson, Offer, Student, StudentModule, Teacher, Towers, hookimpl, nearest
from kdbench_plugins.teachers.frozen_image import FrozenImage, ImageBackbone
from kdbench_plugins.teachers.frozen_text import FrozenText, TextBackbone
from kdbench_plugins.teachers.tower import frozen_towers

FORMAT = 1  # raise when the projections come to be built differently from the same parameters


@dataclass
class Joined:
    """The projections as a student of the one training loop. It reads the backbones' outputs, which stay on disk."""

    width: int
    images: Encoder
    texts: Encoder
    module: StudentModule


class Backbones:
    """`resolution`: pixels the image backbone sees. `hidden`: width of the projections' hidden layer, 0 for none.

    The defaults are the best of some thirty recipes tried on the validation split of `emoji`; dropout is what mattered.
    """

    def __init__(
        self,
        *,
        image: ImageBackbone,
        text: TextBackbone = "minilm_l6",
        resolution: int = 128,
        width: int = 256,
        hidden: int = 1024,
        dropout: float = 0.5,
        input_dropout: float = 0.3,
        epochs: int = 60,
        batch_size: int = 256,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        warmup: float = 0.1,
        clip_norm: float = 1.0,
        seed: int = 0,
    ) -> None:
        _check("image", image, image in get_args(ImageBackbone), nearest(image, get_args(ImageBackbone)))
        _check("text", text, text in get_args(TextBackbone), nearest(text, get_args(TextBackbone)))
        _check("resolution", resolution, resolution >= 32, "expected at least 32: the network halves it five times")
        _check("width", width, width >= 1, "expected at least 1")
        _check("hidden", hidden, hidden >= 0, "expected 0 (a linear projection) or more")
        _check("dropout", dropout, 0 <= dropout < 1, "expected a share from 0 up to, not including, 1")
        _check("input_dropout", input_dropout, 0 <= input_dropout < 1, "expected a share from 0 up to, not including, 1")
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

    def towers(self, lesson: Lesson) -> Towers:
        image, text = FrozenImage(self.image, self.resolution), FrozenText(self.text)
        design = json.dumps(["backbones", FORMAT, self.shape], sort_keys=True)

        def build() -> Student:
            from kdbench_plugins.teachers.projections import Projections

            return Joined(self.shape["width"], image, text, Projections(**self.shape))

        return frozen_towers(lesson.fit(json.dumps([design, image.key, text.key]), build, self.recipe), design)


def _check(name: str, found: object, right: bool, expected: str) -> None:
    if not right:
        raise KdbenchError(f"teacher backbones: {name} is {found!r}; {expected}")


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [Offer("backbones", Backbones, "a pre-trained image and a text backbone, joined by trained projections")]
