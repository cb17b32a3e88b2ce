"""A way of dividing a team's gain among its teachers."""

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
        """What each teacher is worth, [S, U] each, in the unit of `values`.

        `values` holds the contributions [S, U], of S seeds and U test units, of all 2^T sub-teams of the T teachers, the empty
        one included. The result has to be linear in them: intervals and tests are then paired by seed and unit. A teacher that
        changes no sub-team's values should get exact zeros, which sums of its marginal contributions give.
        """
        ...
