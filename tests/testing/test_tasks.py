"""The kit over the first-party task, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Contributions, FeedSettings, Hit, Item, Offer, Queries, Shown, TensorOutputs
from kdbench.plugins.loading import installed
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.rows import RowBatch, RowFeed
from kdbench.testing import Shapes, check_task, conform
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench.testing.tasks import PROPERTIES, find
from tests.support.regression_task import Perceptron, Regression, Vectors

[MSE, MAE] = Regression.metrics


def test_retrieval_conforms() -> None:
    check_task(lambda: Retrieval(recall_at=[1, 5]), Shapes, LinearStudent)
    check_task(lambda: Retrieval(recall_at=[1, 5], positives=True), Shapes, LinearStudent)
    findings = conform(installed().find("task", "retrieval").offer, "task")
    assert [(finding.property, finding.outcome) for finding in findings[1:]] == [(name, "holds") for name in PROPERTIES]


def test_a_task_that_names_no_checks_is_only_built() -> None:
    assert [finding.property for finding in conform(Offer("regression", Regression), "task")] == ["can be built"]


class TwoHeadlines(Regression):
    metrics = (MSE, Regression.metrics[1].__class__("mae", "MAE", headline=True))


class Twice(Regression):
    metrics = (MSE, MSE.__class__("mse", "MSE again", higher_is_better=False))


class Drifting(Regression):
    calls = 0

    def measure(self, arrays: Any) -> dict[str, float]:
        Drifting.calls += 1
        return {name: value + Drifting.calls for name, value in super().measure(arrays).items()}


class Median(Regression):
    """Its metric is no mean of contributions."""

    def measure(self, arrays: Any) -> dict[str, float]:
        return {name: float(np.median(arrays[name])) for name in ("mse", "mae")}


class OneSeed(Regression):
    def contributions(self, arrays: Any, sizes: Any, units: Any = None) -> Contributions:
        found = super().contributions(arrays, sizes, units).values
        return Contributions({name: values[:1] for name, values in found.items()})


class Miscounted(Regression):
    def sizes(self, data: Vectors) -> dict[str, int]:
        return {"vectors": len(data.split("test")[0]) - 1}


class Walking(RowFeed):
    """Remembers which batch was asked for last."""

    def rows(self, step: int) -> Any:  # noqa: ARG002
        self.asked = getattr(self, "asked", -1) + 1
        return super().rows(self.asked // 2 % 12)


class Forgetful(Regression):
    def feed(self, encoded: Any, settings: FeedSettings) -> RowFeed:
        return Walking(encoded[0], encoded[1], settings)


class Unseeded(Regression):
    def feed(self, encoded: Any, settings: FeedSettings) -> RowFeed:
        return RowFeed(encoded[0], encoded[1], replace(settings, seed=7))


class Summed(Regression):
    def losses(self, outputs: TensorOutputs, batch: RowBatch) -> Tensor:
        return super().losses(outputs, batch).sum()


class Detached(Regression):
    def forward(self, student: Any, inputs: Any) -> Any:
        return [tensor.detach().requires_grad_() * 1 for tensor in super().forward(student, inputs)]


class Open(Regression):
    def without_test(self, data: Vectors) -> Any:
        return data


class Rows(Shown):
    """The worst first; every query is right itself."""

    def query(self, of: Queries, index: int) -> Item:
        return Item(f"{of.query} {index}")

    def candidate(self, of: Queries, position: int) -> Item:
        return self.query(of, position)

    def right(self, of: Queries, index: int) -> list[int]:  # noqa: ARG002
        return [index]

    def outputs(self, model: Any, batch_size: int, device: str) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def top(self, outputs: Any, of: Queries, index: int, most: int) -> list[Hit]:  # noqa: ARG002
        return [Hit(place, float(place)) for place in range(most)]


class Wrong(Rows):
    """Nothing is right."""

    def right(self, of: Queries, index: int) -> list[int]:  # noqa: ARG002
        return []


class Upside(Regression):
    def show(self, data: Vectors) -> Shown:  # noqa: ARG002
        return Rows()


class Hopeless(Regression):
    def show(self, data: Vectors) -> Shown:  # noqa: ARG002
        return Wrong()


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (TwoHeadlines, "exactly one headline"),
        (Twice, "names of metrics are unique"),
        (Drifting, "measuring is deterministic and within bounds"),
        (Median, "contributions average to the metrics"),
        (OneSeed, "contributions average to the metrics"),
        (Miscounted, "what it stores passes its own checks"),
        (Forgetful, "a batch is a function of the step"),
        (Unseeded, "a batch is a function of the step"),
        (Summed, "one loss per sample"),
        (Detached, "gradients reach the student"),
        (Open, "the test split can be withheld"),
        (Upside, "what it shows is in order"),
        (Hopeless, "what it shows is in order"),
    ],
)
def test_what_is_wrong_with_a_task_is_named(task: type[Regression], expected: str) -> None:
    torch.set_num_threads(1)
    failures = [finding.property for finding in find(task, Vectors, Perceptron) if finding.outcome == "fails"]
    assert expected in failures
    assert len(failures) <= 2
