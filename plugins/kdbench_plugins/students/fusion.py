"""`fusion`: a student that learns beside a feature-fusion network, which is gone when the training is over.

A reconstruction of AMMKD's (arXiv 2509.00039), of which no more is openly known than that it "extracts and merges
discriminative features from both modalities". Hard negatives are those of ALBEF (Li et al., NeurIPS 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL

if TYPE_CHECKING:
    from torch import Tensor

Count = Annotated[int, Field(ge=1)]
NEEDED = ("encode_image_tokens", "encode_text_tokens")
BLANK = 64  # pixels of the picture that is sent through to see how wide tokens are


class Fusion:
    """L = L_student + weight·L_match, L_match = mean BCE(score(g ⊙ a + (1 − g) ⊙ b), whether image and text match).

    `student` is a student's spec, such as `{use: openclip, config: {…}}`. Its towers' token features attend to each other,
    of images to texts and the reverse, in a common `width` with that many `heads`; a and b are their means, g a gate. Matched
    are the true pairs and, for each image and each text, a partner of another concept, the likelier drawn the more alike the
    student finds them. The student's own embeddings, initial weights and inference are those it has without.

    Its module needs `encode_image_tokens(images) -> (embeddings, tokens [B, L, w])` and `encode_text_tokens(texts) ->
    (embeddings, tokens [B, M, w'], words [B, M])`, `words` true where there is a token and false where there is padding.
    Raises KdbenchError where it lacks them, or where `heads` does not divide `width`.
    """

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
        # First: what the student draws for its initial weights must not depend on what comes beside it.
        self.student: Student = build("student", student)
        widths = token_widths(self.student, student["use"])
        self.width = self.student.width
        self.images: Encoder = self.student.images
        self.texts: Encoder = self.student.texts
        self.module: StudentModule = FusionModule(self.student.module, FusionNetwork(*widths, width, heads), weight)

    def finalize(self) -> StudentModule:
        """The student's own module."""
        finalize = getattr(self.student, "finalize", None)
        module: StudentModule = finalize() if finalize else self.student.module
        return module

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The student's own. Raises KdbenchError where it is no model of open_clip."""
        give: Any = getattr(self.student, "open_clip", None)
        if give is None:
            raise KdbenchError(
                f"student fusion: the student in it, {type(self.student).__name__}, is no model of open_clip; expected one "
                "such as openclip"
            )
        config, clip = give()
        return config, clip


def token_widths(student: Student, name: str) -> tuple[int, int]:
    """Of images and texts, found by sending a blank picture and a short caption through. Draws nothing.

    Raises KdbenchError where the student cannot serve.
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
    except Exception as error:  # whatever a tower raises that has no tokens
        raise KdbenchError(
            f"student fusion: {name!r} gives no token features ({type(error).__name__}: {error}); expected towers that do"
        ) from error
    finally:
        module.train(was_training)
    return int(images.shape[2]), int(texts.shape[2])


def encoded(encoder: Encoder, items: Any) -> Tensor:
    """One item as a tower reads it."""
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
            "another student, trained beside a feature-fusion network that is dropped afterwards (AMMKD)",
            check,
            formula="L = L_student + weight·mean BCE(score(g ⊙ a + (1 − g) ⊙ b), match), a, b by cross-attention of tokens",
            source="AMMKD, arXiv 2509.00039; hard negatives of ALBEF, Li et al., NeurIPS 2021",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
