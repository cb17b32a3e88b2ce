"""Types of values that the core passes on without looking inside, and of stored evaluation results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # What a test query or unit scored, by name; the first axis counts queries or units, stacked seeds come before it.
    Arrays: TypeAlias = Mapping[str, NDArray[Any]]

# A value of a task's own types: an opened dataset, an encoded split, a student, a teacher, a batch, outputs. Only the task and
# its plugins look inside, and each knows the type it gets.
Owned: TypeAlias = Any

# A JSON object as it was written or will be: parameters, a spec of an older format.
JsonObject: TypeAlias = dict[str, Any]
