"""What students share that train additions to the weights of another student, which are merged after the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import KdbenchError, StudentModule, TeacherData, nearest
from kdbench.training.patterns import closest
from kdbench_plugins.students.wrapped import Wrapped

if TYPE_CHECKING:
    from kdbench_plugins.students.low_rank import Adapters, Place

Rank = Annotated[int, Field(ge=1)]
Scale = Annotated[float, Field(gt=0)]
Layers = Annotated[list[str], Field(min_length=1)]  # patterns of names


class Adapted(Wrapped):
    """Base of students that change the module of another one in place: `adapters` hold the additions to its weights.

    The inner student's initial weights are those that it has alone.
    """

    adapters: Adapters

    def prepare(self, data: TeacherData) -> None:
        """Prepares the inner student, to whose weights the additions are then made."""
        self.adapters.merge()  # nothing is added yet
        super().prepare(data)
        self.adapters.attach()

    def finalize(self) -> StudentModule:
        """The inner student's module with merged weights. It is changed in place: the training cannot continue."""
        self.adapters.merge()
        return super().finalize()

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The inner student's own, with merged weights. Raises KdbenchError if it is not an open_clip model."""
        self.adapters.merge()
        return super().open_clip()


def chosen(name: str, module: Any, layers: list[str]) -> list[Place]:
    """The weights of the layers whose names fit one of the patterns. Raises KdbenchError for a pattern that fits none."""
    from kdbench_plugins.students.low_rank import weights_of

    places = list(weights_of(module))
    names = [layer for layer, _, _ in places]
    for pattern in layers:
        if not any(closest(layer, [pattern]) for layer in names):
            raise KdbenchError(
                f"student {name}: layers: found {pattern!r}, which fits no layer with a weight matrix; expected a pattern of "
                f"names such as {', '.join(names[:3])}. {nearest(pattern, names)}"
            )
    return [place for place in places if closest(place[0], layers)]
