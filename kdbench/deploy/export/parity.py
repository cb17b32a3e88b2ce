"""Checks that an exported model agrees with its student."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts.exporter import TOLERANCE, ExportContext, ExportedModel
from kdbench.errors import Diverged, KdbenchError
from kdbench.training.evaluation import evaluated

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays


def arrays_of(model: ExportedModel, context: ExportContext) -> Arrays:
    """The exported model's arrays on the test split. Raises KdbenchError if its outputs are not finite."""
    try:
        return evaluated(context.task, model.student, model.encoded, context.batch_size, "cpu")
    except Diverged as error:
        raise KdbenchError(f"the student {context.name!r}, exported and loaded again ({model.name}): {error}") from error


def check_difference(model: ExportedModel, context: ExportContext) -> None:
    """Raises KdbenchError if the exported model's outputs differ from the student's by more than `TOLERANCE`."""
    if model.difference is not None and not model.difference <= TOLERANCE:  # and not >, which a NaN would pass
        raise KdbenchError(
            f"the student {context.name!r}, exported and loaded again, returns other outputs: the largest difference is "
            f"{model.difference:.2e}, expected {TOLERANCE:.0e} at most"
        )


def agreement(found: Arrays, expected: Arrays) -> dict[str, float]:
    """Stored array → fraction of its entries that are as expected: integers equal, others within `TOLERANCE`.

    Raises KdbenchError if names or shapes differ.
    """
    shapes, others = ({name: list(values.shape) for name, values in arrays.items()} for arrays in (found, expected))
    if shapes != others:
        raise KdbenchError(f"the arrays of the exported model have the shapes {shapes}; expected {others}, those of the record")
    return {name: float(_same(values, expected[name]).mean()) for name, values in found.items()}


def _same(found: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if found.dtype.kind in "iub" and expected.dtype.kind in "iub":
        return np.asarray(found == expected)
    close: NDArray[np.bool_] = np.isclose(found, expected, rtol=0, atol=TOLERANCE, equal_nan=True)
    return close
