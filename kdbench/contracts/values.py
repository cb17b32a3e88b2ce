"""Types of values that the core passes on without looking inside, and of stored evaluation results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Stored values by name; the first axis counts test queries or units, an axis of stacked seeds comes before it.
    Arrays: TypeAlias = Mapping[str, NDArray[Any]]

# A value of one of a task's own types: an opened dataset, an encoded split, a student, a teacher, a batch, outputs. Only the
# task and its plugins use its contents, and they know its type.
Owned: TypeAlias = Any

# A JSON object, such as parameters.
JsonObject: TypeAlias = dict[str, Any]
