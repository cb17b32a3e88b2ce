"""`field_mse`: squared distance between the student's and the teacher's forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench import Objective, Offer, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class FieldMse:
    """Mean squared difference per sample between the student's forecast and the teacher's, both normalised."""

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: Any, teacher: Any, head: None, batch: Any) -> Tensor:  # noqa: ARG002
        found: Tensor = (student.frames - teacher.frames).square().flatten(1).mean(dim=1)
        return found


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "field_mse",
            FieldMse,
            "squared difference between the student's and the teacher's forecasts",
            formula="ℓ = mean (f − f_t)² over frames, channels and points",
            latex=r"\ell = \operatorname{mean} \left( f - f_t \right)^2 \quad \text{over frames, channels and points}",
            source="the teacher's forecast in the place of the truth, as in Bucilă et al., KDD 2006, for regression",
            status="published",
            task="forecasting",
        )
    ]
