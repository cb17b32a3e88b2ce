"""A test split of fields as a person looks at it: the truth, what models forecast, and where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdbench.contracts.shown import Hit, Item, Picture, Shown
from kdbench.contracts.task import Queries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.values import Arrays

OUTPUT = "frames"
SIDE = 112  # pixels of the last given frame


class ShownFields(Shown):
    """The test split of `data`: of `OpenedFields`, or of a `FieldDataset`, which has no `outputs`.

    A sample is asked by its last given frame; what is to be seen of the answers are its pictures.
    """

    def __init__(self, data: Any) -> None:
        self._data, self._split = data, data.split("test")

    def query(self, of: Queries, index: int) -> Item:  # noqa: ARG002
        def last() -> NDArray[np.uint8]:
            from kdbench.tasks.forecasting.sample_pictures import pixels_of

            return pixels_of(self._frames(index)[self._data.history - 1], SIDE)

        return Item(f"trajectory {self._split.ids[index]}", picture=last)

    def candidate(self, of: Queries, position: int) -> Item:
        return self.query(of, position)

    def right(self, of: Queries, index: int) -> Sequence[int]:  # noqa: ARG002
        return ()

    def top(self, outputs: Arrays, of: Queries, index: int, most: int) -> Sequence[Hit]:  # noqa: ARG002
        return ()

    def outputs(self, model: Any, batch_size: int, device: str) -> Arrays:
        from kdbench.tasks.forecasting.forecasts import forecasts_of

        return {OUTPUT: forecasts_of(self._data, model, batch_size, device)}

    def pictures(self, outputs: Mapping[str, Arrays], of: Queries, index: int) -> Sequence[Picture]:  # noqa: ARG002
        import numpy as np

        from kdbench.tasks.forecasting.sample_pictures import SamplePictures

        frames = self._frames(index)
        observed, truth = frames[: self._data.history], frames[self._data.history :][: self._data.horizon]
        forecasts = {name: np.asarray(arrays[OUTPUT][index], np.float64) for name, arrays in outputs.items()}
        return SamplePictures(observed, truth, forecasts).all()

    def _frames(self, index: int) -> NDArray[np.float64]:
        import numpy as np

        return np.asarray(self._split.frames[index : index + 1][0], np.float64)
