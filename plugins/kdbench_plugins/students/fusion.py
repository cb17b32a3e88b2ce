"""`fusion`: trains a student together with a feature-fusion network, which is dropped after training.

A reconstruction of the fusion network of AMMKD (arXiv 2509.00039), whose abstract only says that it "extracts and merges
discriminative features from both modalities". Hard negatives are drawn as in ALBEF (Li et al., NeurIPS 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, Uses, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.wrapped import Wrapped

if TYPE_CHECKING:
    from torch import Tensor

Count = Annotated[int, Field(ge=1)]
NEEDED = ("encode_image_tokens", "encode_text_tokens")
BLANK = 64  # pixels of the picture that is encoded to find the width of tokens


class Fusion(Wrapped):
    """A student with an additional image-text matching loss on fused token features: L = L_student + weight·L_match.

    `student` is a student's spec, such as `{use: openclip, config: {…}}`. Its towers' token features are mapped to a common
    `width` and attend to each other, images to texts and the reverse, with `heads` heads; a and b are their means, g is a
    gate. Matched are the true pairs and, for each image and each text, a partner of another concept, drawn with a higher
    probability the more similar the student finds them. The student's own embeddings, initial weights and inference are
    unchanged.

    Its module needs `encode_image_tokens(images) -> (embeddings, tokens [B, L, w])` and `encode_text_tokens(texts) ->
    (embeddings, tokens [B, M, w'], words [B, M])`, `words` true for tokens and false for padding. Raises KdbenchError if
    these are missing or `heads` does not divide `width`.
    """

    name = "fusion"

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        width: Count = 128,
        heads: Count = 4,
        weight: Annotated[float, Field(gt=0)] = 1.0,
    ) -> None:
        from kdbench_plugins.students.fusion_network import FusionModule, FusionNetwork

        check(student=student, width=width, heads=heads, weight=weight)
        # First: the student's initial weights must not depend on the fusion network.
        super().__init__(student)
        widths = token_widths(self.student, student["use"])
        self.module: StudentModule = FusionModule(self.student.module, FusionNetwork(*widths, width, heads), weight)


def token_widths(student: Student, name: str) -> tuple[int, int]:
    """Widths of the image and text tokens, found by encoding a blank picture and a short caption. Draws no random numbers.

    Raises KdbenchError if the student has no token features.
    """
    import numpy as np
    import torch

    module: Any = student.module
    missing = [method for method in NEEDED if not hasattr(module, method)]
    if missing:
        raise KdbenchError(
            f"student fusion: {name!r} gives no token features, its module has no {' and no '.join(missing)}; "
            "expected a student that does, such as openclip"
        )
    if hasattr(module, "auxiliary_loss"):
        raise KdbenchError(f"student fusion: {name!r} has an auxiliary loss already; expected a student without one")
    was_training = module.training
    module.eval()  # batch norm must not learn from a blank picture
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            picture = encoded(student.images, np.zeros((1, BLANK, BLANK, 3), dtype=np.uint8))
            images, texts = module.encode_image_tokens(picture)[1], module.encode_text_tokens(encoded(student.texts, ["a"]))[1]
    except Exception as error:  # any exception of a tower without tokens
        raise KdbenchError(
            f"student fusion: {name!r} gives no token features ({type(error).__name__}: {error}); expected towers that do"
        ) from error
    finally:
        module.train(was_training)
    return int(images.shape[2]), int(texts.shape[2])


def encoded(encoder: Encoder, items: Any) -> Tensor:
    """One item, encoded for a tower."""
    result = encoder.encode(items if encoder.base is None else encoded(encoder.base, items), "cpu")
    return result.float() if result.is_floating_point() else result


def check(*, student: dict[str, Any], width: int = 128, heads: int = 4, weight: float = 1.0) -> None:  # noqa: ARG001
    if width % heads:
        raise KdbenchError(f"student fusion: width is {width}, expected a multiple of heads, which is {heads}")


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "fusion",
            Fusion,
            "another student, trained with a feature-fusion network that is dropped afterwards (AMMKD)",
            check,
            formula="L = L_student + weight·mean BCE(score(g ⊙ a + (1 − g) ⊙ b), match), a, b by cross-attention of tokens",
            latex=(
                r"L = L_{\mathrm{student}} + \mathrm{weight} \cdot \text{mean } \mathrm{BCE}(\mathrm{score}(g \odot a "
                r"+ (1 - g) \odot b), \mathrm{match}), \quad a, b \text{ by cross-attention of tokens}"
            ),
            source="AMMKD, arXiv 2509.00039; hard negatives of ALBEF, Li et al., NeurIPS 2021",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
