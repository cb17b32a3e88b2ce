"""`consensus_pooling`: pools token features by multi-head self-attention. The model of MH-CVSE (arXiv 2412.19184).

A reconstruction: the paper adds multi-head self-attention and a fusion of feature levels to CVSE (Wang et al., ECCV 2020) and
leaves their form open. Here heads pool as in Lin et al., ICLR 2017, and gates merge them with the student's own embedding.
CVSE's concepts begin from word vectors; here they are learned.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, TeacherData, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.fusion import BLANK, NEEDED, encoded

Count = Annotated[int, Field(ge=1)]


class ConsensusPooling:
    """Another student, whose embeddings e are merged with its tokens x_l, pooled by `heads` self-attentions: also at inference.

    Head h has the mean Σ_l a_hl x_l, a_h = softmax_l(w_h · tanh(U x_l)) with `hidden` rows in U; p is a linear map of all
    heads' means, g a gate of [e; p], and the embedding norm(g ⊙ e + (1 − g) ⊙ p). With `concepts` K > 0, it is merged once
    more, with the mean of K concept vectors that are like it. These are common to both towers: the most frequent words of the
    training captions, connected by how often they occur together, and embedded by a graph convolution, which an export leaves
    out.

    `student` is a student's spec whose module has `encode_image_tokens` and `encode_text_tokens`, such as openclip.
    """

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        heads: Count = 4,
        hidden: Count = 64,
        concepts: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        from kdbench_plugins.students.consensus_module import AttentionPool, Concepts, Consensus, ConsensusModule

        # First: the student's initial weights are those that it has alone.
        self.student: Student = build("student", student)
        widths = token_widths(self.student, student["use"])
        self.width = self.student.width
        self.images: Encoder = self.student.images
        self.texts: Encoder = self.student.texts
        pools = [AttentionPool(width, hidden, heads, self.width) for width in widths]
        consensus = Consensus(Concepts(concepts, self.width), self.width) if concepts else None
        self.training = ConsensusModule(self.student.module, *pools, consensus)
        self.module: StudentModule = self.training

    def prepare(self, data: TeacherData) -> None:
        """Counts the concepts of the training captions."""
        give: Any = getattr(self.student, "prepare", None)
        if give is not None:
            give(data)
        if self.training.consensus is not None:
            import torch

            from kdbench_plugins.students.caption_concepts import correlations

            known: Any = self.training.consensus.concepts
            found = correlations(data.split("train").captions, len(known.correlations))
            known.correlations.copy_(torch.from_numpy(found))

    def finalize(self) -> StudentModule:
        """The module, with its concept vectors in place of the graph that they are computed from."""
        module: StudentModule = self.training.finalized()
        return module


def token_widths(student: Student, name: str) -> tuple[int, int]:
    """Widths of the image and text tokens, found by encoding a blank picture and a short caption.

    Raises KdbenchError if the student has no token features or a loss of its own.
    """
    import numpy as np
    import torch

    module: Any = student.module
    if missing := [method for method in NEEDED if not hasattr(module, method)]:
        raise KdbenchError(
            f"student consensus_pooling: found {name!r} without {' and '.join(missing)} in its module; expected a student with "
            "token features, such as openclip"
        )
    was_training = module.training
    module.eval()  # batch norm must not learn from a blank picture
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            picture = encoded(student.images, np.zeros((1, BLANK, BLANK, 3), dtype=np.uint8))
            images, texts = module.encode_image_tokens(picture)[1], module.encode_text_tokens(encoded(student.texts, ["a"]))[1]
    except Exception as error:  # any exception of a tower without tokens
        raise KdbenchError(
            f"student consensus_pooling: {name!r} gives no token features ({type(error).__name__}: {error}); expected towers "
            "that do"
        ) from error
    finally:
        module.train(was_training)
    return int(images.shape[2]), int(texts.shape[2])


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "consensus_pooling",
            ConsensusPooling,
            "another student, its token features pooled by multi-head self-attention and merged by a gate (MH-CVSE)",
            formula="norm(g ⊙ e + (1 − g) ⊙ p), p = W [Σ_l a_hl x_l]_h, a_h = softmax_l(w_h · tanh(U x_l)), g = σ(W' [e; p])",
            latex=(
                r"\operatorname{norm}(g \odot e + (1 - g) \odot p), \quad p = W \left[\sum_l a_{hl} x_l\right]_h, "
                r"\quad a_h = \operatorname{softmax}_l(w_h \cdot \tanh(U x_l)), \quad g = \sigma(W' [e; p])"
            ),
            source="MH-CVSE, arXiv 2412.19184; CVSE, Wang et al., ECCV 2020; pooling of Lin et al., ICLR 2017",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": SMALL}, "concepts": 50},
        )
    ]
