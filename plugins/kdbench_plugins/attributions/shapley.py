"""Shapley values: a teacher's marginal contribution to sub-teams, averaged over the orders in which teachers can join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

from kdbench import Offer, hookimpl
from kdbench.contracts import Attribution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.attribution import Values


def coefficient(size: int, count: int) -> Fraction:
    """Weight of a marginal contribution to a sub-team of `size` other teachers, of `count` teachers in all.

    The weights of all sub-teams of one size sum to 1 / `count`.
    """
    return Fraction(factorial(size) * factorial(count - size - 1), factorial(count))


class Shapley:
    """Shapley values (Shapley, A value for n-person games, 1953). They sum to v(all) − v(none)."""

    label = "Shapley"

    def divide(self, values: Values, teachers: Sequence[str]) -> Mapping[str, NDArray[np.float64]]:
        return {teacher: self._value(values, teachers, teacher) for teacher in teachers}

    def _value(self, values: Values, teachers: Sequence[str], teacher: str) -> NDArray[np.float64]:
        """Teacher → Shapley value, [S, U]. Sums marginal contributions, so a teacher that changes nothing gets exactly 0."""
        others = [other for other in teachers if other != teacher]
        total = 0.0 * values[frozenset()]
        for size in range(len(teachers)):
            factor = float(coefficient(size, len(teachers)))
            for members in combinations(others, size):
                team = frozenset(members)
                total += factor * (values[team | {teacher}] - values[team])
        return total


@hookimpl
def kdbench_attributions() -> list[Offer[Attribution]]:
    return [
        Offer(
            "shapley",
            Shapley,
            "a teacher's mean marginal contribution over all orders in which the teachers can join",
            formula="φ(t) = Σ_{S ∌ t} |S|! (T − |S| − 1)! / T! · (v(S ∪ {t}) − v(S))",
            latex=(
                r"\phi(t) = \sum_{S \not\ni t} "
                r"\frac{\left\lvert S \right\rvert! \, (T - \left\lvert S \right\rvert - 1)!}{T!} "
                r"\left(v(S \cup \{t\}) - v(S)\right)"
            ),
            source="Shapley, A value for n-person games, 1953",
            status="published",
        )
    ]
