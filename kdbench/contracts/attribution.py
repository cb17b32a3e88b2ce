"""How a team's gain is divided among its teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = Mapping[frozenset[str], NDArray[np.float64]]


class Attribution(Protocol):
    """Divides what a team gains over no distillation among its teachers, such as by Shapley values."""

    label: str  # the field's name for what a teacher gets, such as `Shapley value`

    def divide(self, values: Values, teachers: Sequence[str]) -> Mapping[str, NDArray[np.float64]]:
        """Teacher → its part of the gain, [S, U], in the unit of `values`.

        `values` maps each of the 2^T sub-teams of the T teachers, the empty one included, to its contributions [S, U] for S
        seeds and U test units. The result must be linear in `values`, because intervals and tests are paired by seed and
        unit. A teacher that changes no sub-team's values should get exact zeros; sums of marginal contributions do that.
        """
        ...
