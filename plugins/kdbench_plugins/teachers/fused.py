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

from typing import Annotated, Any

from kdbench import Offer, Teacher, TeacherData, Towers, Uses, hookimpl
from kdbench_plugins.teachers.frozen_image import FrozenImage, ImageBackbone
from kdbench_plugins.teachers.frozen_text import FrozenText, TextBackbone
from kdbench_plugins.teachers.fusing import fused
from kdbench_plugins.teachers.recipe import BatchSize, Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.token_features import ImageTokens, TextTokens
from kdbench_plugins.teachers.wrapped import Wrapped, refuse_lacking


class Fused(Wrapped):
    """`teacher` is the dual-stream teacher, such as `backbones`.

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
        def single_stream(image_width: int, text_width: int) -> Any:
            from kdbench_plugins.teachers.single_stream import SingleStream

            return SingleStream(image_width, text_width, **self.shape)

        tokens = ImageTokens(FrozenImage(self.image, self.resolution)), TextTokens(FrozenText(self.text), self.length)
        return fused("fused", data, self.inner(data), tokens, single_stream, [self.shape], self.recipe)


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
