"""Hadamard matrices: orthogonal up to a factor, all entries ±1. By Sylvester's doubling and Paley's two constructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def hadamard(order: int) -> NDArray[np.float64] | None:
    """A Hadamard matrix [order, order]; None if these constructions give none, as for every order above 2 not divisible by 4.

    They give one for all widths of common models: 384 = 32·12, 768 = 64·12, 1152 (1151 is prime), 1280 = 64·20 …
    """
    import numpy as np

    if order == 1:
        return np.ones((1, 1))
    if order == 2:
        return np.array([[1.0, 1.0], [1.0, -1.0]])
    if order < 1 or order % 4:
        return None
    if _is_prime(order - 1):  # ≡ 3 (mod 4)
        skew = _bordered(order - 1)
        skew[1:, 0] = -1
        return skew + np.eye(order)
    if _is_prime(order // 2 - 1) and (order // 2 - 1) % 4 == 1:
        return np.kron(_bordered(order // 2 - 1), [[1.0, 1.0], [1.0, -1.0]]) + np.kron(
            np.eye(order // 2), [[1.0, -1.0], [-1.0, -1.0]]
        )
    half = hadamard(order // 2)
    return None if half is None else np.block([[half, half], [half, -half]])


def _bordered(prime: int) -> NDArray[np.float64]:
    """Paley's matrix Q [q, q] of a prime with a border of ones, 0 at the corner. Q holds 1 where i − j is a square modulo q, 0
    on the diagonal, otherwise −1: Q Qᵀ = q I − 1 1ᵀ; symmetric for q ≡ 1 (mod 4), else skew."""
    import numpy as np

    squares = np.unique(np.arange(1, prime) ** 2 % prime)
    character = np.full(prime, -1.0)
    character[squares] = 1
    character[0] = 0
    bordered = np.zeros((prime + 1, prime + 1))
    bordered[0, 1:] = bordered[1:, 0] = 1
    number: Any = np.arange(prime)
    bordered[1:, 1:] = character[(number[:, None] - number) % prime]
    return bordered


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
