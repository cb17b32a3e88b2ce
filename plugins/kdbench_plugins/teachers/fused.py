"""The teacher `fused` (MCAD): a dual-stream teacher, fused with a single-stream model's feature of each pair.

A reconstruction of MCAD (Lei et al., NAACL Findings 2024, arXiv 2310.19654), which puts fused single-stream features into the
image and text features of a dual-stream model and distils similarity distributions and features of the result. Only its
abstract was read: the form of the fusion is ours, and so is the small single-stream model, trained on token features of
frozen backbones.

The pair leaks: h sees the image and its caption, so the fused embeddings of a true pair share what no retrieval model can know.
The teacher warns with its in-batch entropy beside that of the dual-stream teacher; a fused teacher that is nearly certain says
little about wrong pairs.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from kdbench import Encoder, Offer, Student, StudentModule, Teacher, TeacherData, Towers, Uses, hookimpl
from kdbench.errors import KdbenchWarning
from kdbench_plugins.teachers.frozen_image import FrozenImage, ImageBackbone
from kdbench_plugins.teachers.frozen_text import FrozenText, TextBackbone
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.tempered import drawn_pairs, mean_entropy
from kdbench_plugins.teachers.token_features import Beside, ImageTokens, TextTokens
from kdbench_plugins.teachers.tower import settled
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1  # raise when the same parameters give another fusion


@dataclass
class Joined:
    """A fused module as a student for the training loop."""

    width: int
    images: Encoder
    texts: Encoder
    module: StudentModule


@dataclass
class Fusion:
    """What fusion adds to a dual-stream teacher's embeddings. Implements `LivePart`; it does not move."""

    images: Encoder
    texts: Encoder
    key: str
    module: Any

    def begin(self, device: str) -> None:
        settled(self.module, device)

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.module.changes(images, texts)
        return found


class Fused(Wrapped):
    """`teacher` is the dual-stream teacher, which reads original pictures, such as `backbones`.

    The single-stream model is a transformer of `width` with `layers` and `heads` over the feature map of the backbone `image`
    at `resolution` and the first `length` words of the backbone `text`. The teacher itself is evaluated by its dual stream.
    """

    def __init__(
        self,
        *,
        teacher: Annotated[dict[str, Any], Uses("teacher")],
        image: ImageBackbone = "efficientnet_lite0",
        text: TextBackbone = "minilm_l6",
        resolution: Count = 128,
        length: Count = 12,
        width: Count = 64,
        layers: Count = 2,
        heads: Count = 4,
        epochs: Count = 20,
        batch_size: BatchSize = 128,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.1,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(teacher)
        self.image: ImageBackbone = image
        self.text: TextBackbone = text
        self.resolution, self.length = resolution, length
        self.shape = {"width": width, "layers": layers, "heads": heads}
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "seed": seed,
            "every": epochs,  # fusion needs both of a pair, which ranking does not have: the last epoch is kept
        }

    def towers(self, data: TeacherData) -> Towers:
        towers = self.inner(data)
        tokens = ImageTokens(FrozenImage(self.image, self.resolution)), TextTokens(FrozenText(self.text), self.length)
        images, texts = Beside(towers.image, tokens[0]), Beside(towers.text, tokens[1])
        width = data.encode(towers.image, "train").shape[1]
        read = data.encode(images, "train"), data.encode(texts, "train")
        widths = FrozenImage.width, FrozenText.width
        shapes = [((found.shape[1] - width) // each, each) for found, each in zip(read, widths, strict=True)]
        design = json.dumps(["fused", FORMAT, self.shape, towers.logit_scale])

        def build() -> Student:
            from kdbench_plugins.teachers.single_stream import FusedModule, SingleStream

            single = SingleStream(shapes[0][1], shapes[1][1], **self.shape)
            return Joined(width, images, texts, FusedModule(single, self.shape["width"], width, shapes, towers.logit_scale))

        from kdbench import module_digest

        student = data.fit(design, build, self.recipe)
        module: Any = student.module
        key = hashlib.sha256(f"{design}|{images.key}|{texts.key}|{module_digest(module)}".encode()).hexdigest()
        part = Fusion(images, texts, key, student.module)
        warn_of_leak(data, part, read, towers.logit_scale)
        return replace(towers, live=part)


def warn_of_leak(data: TeacherData, part: Fusion, read: tuple[Any, Any], scale: float) -> None:
    """Warns with the mean in-batch entropies of the fused and of the dual-stream teacher, in nats."""
    plain, fused = entropies(data, part, read, scale)
    message = (
        f"teacher fused: in-batch entropy {fused:.3f} nats, that of its dual-stream teacher {plain:.3f}: what it adds has "
        "seen both of a pair, and what leaks makes it certain"
    )
    warnings.warn(message, KdbenchWarning, stacklevel=3)


def entropies(data: TeacherData, part: Fusion, read: tuple[Any, Any], scale: float, size: int = 128) -> tuple[float, float]:
    """Mean entropy of the softmax over similarities, plain and fused, in batches of `size` pairs of the train split."""
    import numpy as np
    import torch
    from torch.nn.functional import normalize

    part.begin("cpu")
    unfused: Callable[[Tensor], Tensor] = part.module.encode_image
    plain, fused = [], []
    with torch.no_grad():
        for pairs in drawn_pairs(data, size):
            images, texts = (
                torch.from_numpy(np.asarray(values[rows], np.float32)) for values, rows in zip(read, pairs, strict=True)
            )
            v, u = unfused(images), part.module.encode_text(texts)
            image, text = part.changes(images, texts)
            plain.append((v @ u.T).double())
            fused.append((normalize(v + image, dim=1) @ normalize(u + text, dim=1).T).double())
    return mean_entropy(plain, scale), mean_entropy(fused, scale)


def check(*, teacher: dict[str, Any], image: ImageBackbone, text: TextBackbone, resolution: int, **given: Any) -> None:
    """Raises KdbenchError for a teacher that lacks a tower, and if a package with weights is missing."""
    from kdbench import KdbenchError

    refuse_lacking("fused", ("image", "text"), teacher)
    if given["width"] % given["heads"]:
        raise KdbenchError(f"teacher fused: width is {given['width']}, expected a multiple of heads, which is {given['heads']}")
    FrozenImage(image, resolution)
    FrozenText(text)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "fused",
            Fused,
            "a dual-stream teacher fused with a single-stream model's feature of each pair (MCAD)",
            check,
            formula="v̂ = norm(v + P_v h), û = norm(u + P_u h)",
            latex=r"\hat v = \mathrm{norm}(v + P_v h), \quad \hat u = \mathrm{norm}(u + P_u h)",
            source="MCAD, Lei et al., arXiv 2310.19654",
            status="reconstruction",
            example={"teacher": {"use": "backbones", "image": "efficientnet_lite0"}},
            smoke=lambda params: params | {"epochs": 1, "resolution": 32},
        )
    ]
