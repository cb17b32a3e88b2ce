from __future__ import annotations

import torch

from kdbench.tasks.forecasting.outputs import Forecast
from kdbench_plugins.objectives.field_mse import FieldMse


def test_it_is_the_mean_square_of_each_sample() -> None:
    student, teacher = torch.randn(2, 3, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    found = FieldMse().losses(Forecast(student), Forecast(teacher), None, None)
    for sample in range(3):
        assert torch.isclose(found[sample], ((student[sample] - teacher[sample]) ** 2).sum() / 32)
