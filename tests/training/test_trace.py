"""The trace beside a record: windows and their means against plain loops, and the way through a checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from kdbench.storage import checkpoint as checkpoints
from kdbench.training.step import StepResult
from kdbench.training.trace import WINDOWS, Tracing, figures, trace_of

BATCH = 4
TEAMS = ["", "a", "ab", "abc"]
ROUNDED = 5.1e-7  # six digits are kept


def tensor(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


class Told:
    """Steps drawn at random: what a trace is told of them."""

    def __init__(self, names: str, steps: int, per_sample: bool = False, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        teachers = len(names)
        self.names, self.steps = list(names), steps
        self.gradients: list[Tensor] = []
        self.results: list[StepResult] = []
        for _ in range(steps):
            weights = torch.softmax(2 * tensor(teachers, *([BATCH] if per_sample else []), generator=generator), dim=0)
            gradients = tensor(teachers, 5, generator=generator)
            self.gradients.append(gradients)
            self.results.append(
                StepResult(
                    tensor(generator=generator),
                    tensor(generator=generator),
                    weights if names else None,
                    gradients @ gradients.T if teachers > 1 else None,
                )
            )

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        self.tell(Tracing(self.names, [self.steps], columns), range(self.steps))
        return columns

    def tell(self, tracing: Tracing, steps: Sequence[int]) -> None:
        for step in steps:
            tracing.add(step, figures(self.results[step]).tolist(), lambda step=step: {"own": step / 7})  # type: ignore[misc]


@pytest.mark.parametrize("steps", [1, 2, 12, 49, 50, 51, 99, 100, 101, 149, 1000, 12_345])
def test_windows_are_at_most_fifty_and_cover_all_steps(steps: int) -> None:
    tracing = Tracing([], [steps], {})
    ends = [step for step in range(steps) if tracing.closes(step)]
    assert len(ends) <= WINDOWS == 50
    assert ends[-1] == steps - 1
    lengths = [end - start for start, end in zip([-1, *ends], ends, strict=False)]
    assert set(lengths[:-1]) <= {tracing.window}
    assert 1 <= lengths[-1] <= tracing.window
    assert steps > 50 or lengths == [1] * steps
    assert len(ends) > 25 or steps < 25  # as fine as may be


def slow_entropy(weights: list[float]) -> float:
    return -sum(weight * math.log(weight) for weight in weights if weight > 0)


@pytest.mark.parametrize("names", TEAMS)
@pytest.mark.parametrize("steps", [3, 50, 107])
@pytest.mark.parametrize("per_sample", [False, True])
def test_columns_equal_plain_loops(names: str, steps: int, per_sample: bool) -> None:
    told = Told(names, steps, per_sample)
    columns = told.columns()
    length = math.ceil(steps / 50)
    windows = [list(range(start, min(start + length, steps))) for start in range(0, steps, length)]
    assert columns["step"] == [window[-1] + 1 for window in windows]
    for place, window in enumerate(windows):
        results = [told.results[step] for step in window]
        assert columns["loss"][place] == pytest.approx(sum(float(r.loss) for r in results) / len(window), abs=ROUNDED)
        assert columns["task"][place] == pytest.approx(sum(float(r.task) for r in results) / len(window), abs=ROUNDED)
        entropy = 0.0
        means = [0.0] * len(names)
        for result in results:
            if result.weights is None:
                continue
            samples = result.weights.T.tolist() if per_sample else [result.weights.tolist()]
            for sample in samples:
                entropy += slow_entropy(sample) / len(samples) / len(window)
                for teacher, weight in enumerate(sample):
                    means[teacher] += weight / len(samples) / len(window)
        assert columns["entropy"][place] == pytest.approx(entropy, abs=ROUNDED)
        assert [columns["weights"][name][place] for name in names] == pytest.approx(means, abs=ROUNDED)
        last = told.gradients[window[-1]]
        cosines = {
            f"{names[i]} · {names[j]}": float(cosine_similarity(last[i], last[j], dim=0))
            for i, j in combinations(range(len(names)), 2)
        }
        assert {pair: column[place] for pair, column in columns["cosines"].items()} == pytest.approx(cosines, abs=ROUNDED)
        if cosines:
            assert columns["conflict"][place] == (min(cosines.values()) < 0)
        assert columns["report"]["own"][place] == pytest.approx(window[-1] / 7, abs=ROUNDED)
    if len(names) > 1:
        assert 0 < sum(columns["conflict"]) < len(windows) or steps == 3


def test_adding_returns_the_mean_weights_of_the_step() -> None:
    told = Told("abc", 2, per_sample=True)
    tracing = Tracing(told.names, [2], {})
    for step, result in enumerate(told.results):
        assert result.weights is not None
        assert tracing.add(step, figures(result).tolist(), dict) == pytest.approx(result.weights.mean(dim=1).tolist())
    assert Tracing([], [1], {}).add(0, figures(Told("", 1).results[0]).tolist(), dict) == []


@pytest.mark.parametrize(("weights", "entropy"), [([0.5, 0.5], math.log(2)), ([1.0, 0.0], 0.0), ([0.25, 0.75], 0.562335)])
def test_entropy_is_in_nats(weights: list[float], entropy: float) -> None:
    columns: dict[str, Any] = {}
    result = StepResult(torch.tensor(0.0), torch.tensor(0.0), torch.tensor(weights), torch.eye(2))
    Tracing("ab", [1], columns).add(0, figures(result).tolist(), dict)
    assert columns["entropy"] == [pytest.approx(entropy, abs=1e-6)]


def test_entropy_of_weights_by_sample_is_not_that_of_their_mean() -> None:
    """Teachers that share the samples between them speak one at a time."""
    columns: dict[str, Any] = {}
    result = StepResult(torch.tensor(0.0), torch.tensor(0.0), torch.eye(2), torch.eye(2))
    Tracing("ab", [1], columns).add(0, figures(result).tolist(), dict)
    assert columns["entropy"] == [0.0]
    assert columns["weights"] == {"a": [0.5], "b": [0.5]}


def compared(*rows: list[float]) -> dict[str, Any]:
    """The columns of one step with these gradients."""
    gradients = torch.tensor(rows, dtype=torch.float64)
    weights = torch.full((len(rows),), 1 / len(rows))
    columns: dict[str, Any] = {}
    result = StepResult(torch.tensor(0.0), torch.tensor(0.0), weights, gradients @ gradients.T)
    Tracing("abc"[: len(rows)], [1], columns).add(0, figures(result).tolist(), dict)
    return columns


def test_teachers_conflict_where_any_two_of_them_do() -> None:
    found = compared([1, 0], [0, 2], [-1, 1])
    assert found["cosines"] == {"a · b": [0.0], "a · c": [-0.707107], "b · c": [0.707107]}
    assert found["conflict"] == [1]
    assert compared([1, 0], [0, 2], [1, 1])["conflict"] == [0]
    assert compared([3, 0], [-1e-9, 0])["cosines"] == {"a · b": [-1.0]}


def test_a_gradient_that_vanishes_conflicts_with_none() -> None:
    found = compared([1, 0], [0, 0], [1, 1])
    assert found["cosines"] == {"a · b": [0.0], "a · c": [0.707107], "b · c": [0.0]}
    assert found["conflict"] == [0]


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12])
def test_the_size_of_gradients_does_not_matter(size: float) -> None:
    assert compared([size, 0], [size, size])["cosines"] == {"a · b": [0.707107]}


def test_figures_that_begin_late_or_end_early_have_no_value_there() -> None:
    reports: list[dict[str, float]] = [{}, {"early": 1.0}, {"early": 2.0, "late": 3.0}, {"late": 4.1234567}, {}]
    columns: dict[str, Any] = {}
    tracing = Tracing([], [5], columns)
    for step, report in enumerate(reports):
        tracing.add(step, figures(Told("", 5).results[step]).tolist(), lambda report=report: report)  # type: ignore[misc]
    assert columns["report"] == {"early": [None, 1.0, 2.0, None, None], "late": [None, None, 3.0, 4.123457, None]}


def test_figures_are_asked_for_at_the_end_of_a_window_alone() -> None:
    asked: list[int] = []
    tracing = Tracing([], [101], {})
    for step in range(101):
        tracing.add(step, figures(Told("", 1).results[0]).tolist(), lambda step=step: asked.append(step) or {})  # type: ignore[misc, func-returns-value]
    assert asked == [*range(2, 100, 3), 100]


@pytest.mark.parametrize("names", TEAMS)
@pytest.mark.parametrize("stops", [[1], [50], [2, 3, 77], list(range(1, 107))])
def test_a_trace_resumes_from_a_checkpoint_to_the_last_bit(names: str, stops: list[int], tmp_path: Path) -> None:
    """In the middle of a window of three, at its end, and after each step."""
    told = Told(names, 107)
    calm = told.columns()
    columns: dict[str, Any] = {}
    for start, end in zip([0, *stops], [*stops, 107], strict=True):
        told.tell(Tracing(told.names, [107], columns), range(start, end))
        checkpoints.save(tmp_path / "checkpoint", {"trace": columns})
        saved = checkpoints.load(tmp_path / "checkpoint")
        assert saved is not None
        columns = saved["trace"]
    assert columns == calm
    assert trace_of(columns).model_dump_json() == trace_of(calm).model_dump_json()  # 0.0 is not -0.0, nor 1 1.0


def test_a_trace_with_late_figures_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    told = Told("ab", 4)
    columns: dict[str, Any] = {}
    for step in range(4):
        tracing = Tracing(told.names, [4], columns)
        tracing.add(step, figures(told.results[step]).tolist(), lambda step=step: {"late": 1.0} if step == 2 else {})  # type: ignore[misc]
        checkpoints.save(tmp_path / "checkpoint", {"trace": columns})
        saved = checkpoints.load(tmp_path / "checkpoint")
        assert saved is not None
        columns = saved["trace"]
    assert columns["report"] == {"late": [None, None, 1.0, None]}


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ("", {"step", "loss", "task", "entropy", "report"}),
        ("a", {"step", "loss", "task", "entropy", "report", "weights"}),
        ("ab", {"step", "loss", "task", "entropy", "report", "weights", "cosines", "conflict"}),
    ],
)
def test_what_is_published_has_values_and_no_open_window(names: str, keys: set[str]) -> None:
    told = Told(names, 107)
    trace = trace_of(told.columns())
    found = trace.model_dump(exclude_defaults=True)
    assert set(found) == keys
    assert len(found["step"]) == 36
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    halfway: dict[str, Any] = {}
    told.tell(Tracing(told.names, [107], halfway), range(7))  # two windows and a step
    assert trace_of(halfway).step == [3, 6]


@pytest.mark.parametrize("names", TEAMS)
def test_dynamics_are_three_means_of_teams_of_two_and_more(names: str) -> None:
    columns = Told(names, 107).columns()
    found = trace_of(columns).dynamics
    if len(names) < 2:
        assert found == {}
        return
    cosines = [value for pair in columns["cosines"].values() for value in pair]
    assert found == pytest.approx(
        {
            "weight_entropy": sum(columns["entropy"]) / 36,
            "gradient_cosine": sum(cosines) / len(cosines),
            "conflicting_steps": sum(columns["conflict"]) / 36,
        },
        abs=ROUNDED,
    )
    assert len(cosines) == 36 * math.comb(len(names), 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_do_not_get_into_the_file(value: float) -> None:
    """JSON has no name for them. A loss of that kind has ended the run before."""
    columns: dict[str, Any] = {}
    gramian = torch.tensor([[abs(value), value], [value, 1.0]], dtype=torch.float64)
    result = StepResult(torch.tensor(0.0), torch.tensor(0.0), torch.tensor([0.5, 0.5]), gramian)
    Tracing("ab", [1], columns).add(0, figures(result).tolist(), lambda: {"own": value})
    assert columns["report"] == {"own": [None]}
    assert columns["conflict"] == [0]
    json.dumps(trace_of(columns).model_dump(), allow_nan=False)


def test_weights_of_pairs_are_averaged_over_the_batch() -> None:
    weights = tensor(3, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    tracing = Tracing(["a", "b", "c"], [1], {})
    found = tracing.add(0, figures(StepResult(torch.tensor(1.0), torch.tensor(1.0), weights)).tolist(), dict)
    assert found == pytest.approx([float(weights[t].mean()) for t in range(3)])
    expected = sum(slow_entropy(weights[:, i, j].tolist()) for i in range(4) for j in range(4)) / 16
    assert tracing.columns["entropy"] == pytest.approx([expected], abs=ROUNDED)
