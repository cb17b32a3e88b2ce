"""`soft_threshold`: prunes a student's towers with learned soft thresholds while it is trained. AdapMTL (arXiv 2408.03913).

From AdapMTL are Ŵ = sign(W)·relu(|W| − sigmoid(s)) with one learned s for each component, and that s has no more gradient once
the sparsity is reached. A reconstruction: the components are two towers and their projections in place of a backbone and task
heads, and a constant force raises the thresholds (in STR, Kusupati et al., ICML 2020, weight decay of s does).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Annotated, Any

from pydantic import Field

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, Uses, build, hookimpl
from kdbench_plugins.students.clip_config import SMALL
from kdbench_plugins.students.threshold_components import Side, components

Share = Annotated[float, Field(gt=0, lt=1)]


class SoftThreshold:
    """Another student, whose matrices and filters are made sparse in training: Ŵ = sign(W)·relu(|W| − sigmoid(s)).

    `student` is a student's spec, such as `{use: openclip, config: {…}}`. `image` and `text` are the sparsities that its towers
    are to reach at least, the share of zeros among their matrices and filters; embeddings of tokens and positions, norms and
    biases stay dense. A tower and its projection are two components with a threshold each, which begins at `start` and is
    raised by `pressure`; the task and the teachers raise or lower it as well, so that the components of a tower end at
    different sparsities. s learns with `rate` times the learning rate, since it has a longer way to go than weights. Once a
    tower has its sparsity, its thresholds are held.

    After the training the zeros are real: the student is a dense model of the same form with zeros in it.
    """

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        image: Share = 0.5,
        text: Share = 0.5,
        start: Share = 1e-3,
        rate: Annotated[float, Field(gt=0)] = 50.0,
        pressure: Annotated[float, Field(ge=0)] = 0.3,
    ) -> None:
        from kdbench_plugins.students.threshold_module import ThresholdModule

        # First: the student's initial weights are those that it has alone.
        self.student: Student = build("student", student)
        if hasattr(self.student.module, "auxiliary_loss"):
            raise KdbenchError(
                f"student soft_threshold: {student['use']!r} has an auxiliary loss already; expected a student without one"
            )
        targets: dict[Side, float] = {"image": image, "text": text}
        self.training: Any = ThresholdModule(self.student.module, components(self.student), targets, start, rate, pressure)
        self.module: StudentModule = self.training
        self.width = self.student.width
        self.images: Encoder = self.student.images
        self.texts: Encoder = self.student.texts
        self.pruned: Any = None  # a copy of the student, with zeros, once there is one

    def prepare(self, data: Any) -> None:
        """The student's own."""
        give: Any = getattr(self.student, "prepare", None)
        if give is not None:
            give(data)

    def finalize(self) -> StudentModule:
        """The module of a copy of the student, with zeros in place of the entries within the thresholds."""
        kept = {id(encoder): encoder for encoder in (self.images, self.texts)}  # not to be copied
        self.pruned = deepcopy(self.student, kept)
        self.training.shrink(self.pruned.module)
        finalize: Any = getattr(self.pruned, "finalize", None)
        whole: StudentModule = finalize() if finalize else self.pruned.module
        return whole

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The pruned student's own. Raises KdbenchError if it is not an open_clip model."""
        if self.pruned is None:
            self.finalize()
        give: Any = getattr(self.pruned, "open_clip", None)
        if give is None:
            raise KdbenchError(
                f"student soft_threshold: its student, {type(self.student).__name__}, is not an open_clip model; expected one "
                "such as openclip"
            )
        config, clip = give()
        return config, clip


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "soft_threshold",
            SoftThreshold,
            "another student, pruned by learned soft thresholds to a sparsity of each tower (AdapMTL)",
            formula="Ŵ = sign(W)·relu(|W| − sigmoid(s)), one s for each tower and each projection",
            latex=(
                r"\hat{W} = \operatorname{sign}(W) \cdot \operatorname{relu}(\left\lvert W \right\rvert - "
                r"\operatorname{sigmoid}(s)), \quad \text{one } s \text{ for each tower and each projection}"
            ),
            source="AdapMTL, arXiv 2408.03913; after STR, Kusupati et al., ICML 2020",
            status="reconstruction",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
