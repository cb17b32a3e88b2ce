"""A third party's task, `tests/support/regression_task.py`, from a suite to the ranked table: nothing in the core knows it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from kdbench import Progress
from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_arrays, read_record, read_trace, record_path
from kdbench.records.reading import read_measured
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.reports import build, render
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from kdbench.testing import check_task
from kdbench_plugins.reports.site.site_pages import write_site
from kdbench_plugins.strategies import ammkd, equal
from tests.support import regression_task
from tests.support.regression_task import Perceptron, Regression, Vectors

SUITE = """\
name: vectors
seeds: [0, 1, 2]
datasets: [vectors]
students: [perceptron]
teachers:
  good: {use: linear}
  poor: {use: linear, error: 1.0, curve: 0.0}
  flat: {use: linear, curve: 0.2}
references: [good, poor]
teams:
  - []
  - [poor]
  - [good, flat]
strategies: [equal, ammkd]
objective: [distance]
train: {epochs: 20, batch_size: 16, lr: 0.02, distill: 4.0, precision: fp32, checkpoint_every: 5}
"""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return registered()


def registered() -> Plugins:
    found = Plugins()
    for module in (regression_task, equal, ammkd):
        found.register(module, f"acme:{module.__name__.rpartition('.')[2]}")
    return found


def specs(folder: Path, plugins: Plugins, text: str = SUITE) -> list[RunSpec]:
    path = folder / "vectors.yaml"
    path.write_text(text)
    return plan(load_suite(path, plugins))


def run_under(strategy: str, folder: Path, plugins: Plugins) -> RunSpec:
    """The first run with that strategy."""
    return next(spec for spec in specs(folder, plugins) if spec.strategy and spec.strategy.use == strategy)


def context_in(folder: Path, plugins: Plugins) -> RunContext:
    return RunContext(plugins, Cache(folder / "cache"), folder / "results")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, plugins: Plugins) -> tuple[RunContext, list[Record]]:
    """All runs of the suite."""
    folder = tmp_path_factory.mktemp("vectors")
    context = context_in(folder, plugins)
    return context, [execute(spec, context) for spec in specs(folder, plugins)]


def test_it_is_one_short_file() -> None:
    lines = Path(regression_task.__file__).read_text().splitlines()
    assert len(lines) < 150
    imports = [line.split()[1] for line in lines if line.startswith("from kdbench")]
    assert imports == ["kdbench", "kdbench.tasks.rows"]


def test_its_task_conforms() -> None:
    check_task(Regression, Vectors, Perceptron)


def test_its_suite_is_checked_like_any_other(tmp_path: Path, plugins: Plugins) -> None:
    found = specs(tmp_path, plugins)
    assert {spec.task.use for spec in found} == {"regression"}
    assert [spec.cell_label for spec in found[:6]] == [
        "good · teacher itself",
        "poor · teacher itself",
        "perceptron · no distillation",
        "perceptron · poor",
        "perceptron · good+flat · equal",
        "perceptron · good+flat · ammkd",
    ]
    with pytest.raises(SuiteError, match="recall_at"):
        specs(tmp_path, plugins, SUITE + "evaluate: {recall_at: [1]}\n")
    with pytest.raises(SuiteError, match="none: the task 'regression' does not deal datasets into folds"):
        specs(tmp_path, plugins, SUITE + "folds: 5\n")
    with pytest.raises(SuiteError, match="did you mean 'linear'"):
        specs(tmp_path, plugins, SUITE.replace("{use: linear}", "{use: linea}"))


def test_a_plugin_of_another_task_does_not_fit(tmp_path: Path, plugins: Plugins) -> None:
    from kdbench.tasks import retrieval
    from kdbench_plugins.objectives import feature

    both = Plugins()
    for name, module in plugins.manager.list_name_plugin():
        both.register(module, name)
    both.register(retrieval, "kdbench:retrieval")
    both.register(feature, "kdbench:feature")
    with pytest.raises(SuiteError, match="objective for the task 'regression'; this one is for 'retrieval'"):
        specs(tmp_path, both, SUITE.replace("objective: [distance]", "objective: [feature]"))


def test_it_trains_and_is_recorded_and_verified(done: tuple[RunContext, list[Record]]) -> None:
    context, records = done
    assert [(record.status, record.reason) for record in records] == [("ok", "")] * len(records)
    for record in records:
        path = record_path(context.results, "vectors", record.run_id)
        assert read_record(path) == record
        assert (record.format, record.sizes, record.units_sha256) == (2, {"vectors": 600}, None)
        arrays = read_arrays(path, context.plugins)
        assert record.metrics == {name: pytest.approx(values.mean()) for name, values in arrays.items()}
        assert set(record.metrics) == {"mse", "mae"}
        if record.spec.train is not None:
            assert set(record.validation) == {"mse", "mae"}
            assert read_trace(path).step == [*range(3, 121, 3)]
    distilled = next(record for record in records if record.spec.strategy and record.spec.strategy.use == "ammkd")
    assert set(distilled.dynamics) == {"weight_entropy", "gradient_cosine", "conflicting_steps"}
    assert list(distilled.weights) == ["good", "flat"]
    verified, problems = verify([context.results], context.plugins)
    assert (len(verified), problems) == (len(records), [])


def test_the_epoch_kept_is_the_one_with_the_lowest_error(tmp_path: Path, plugins: Plugins) -> None:
    spec = next(spec for spec in specs(tmp_path, plugins) if not spec.reference)
    epochs: list[float] = []
    context = replace(context_in(tmp_path, plugins), on_epoch=lambda _, __, metrics: epochs.append(metrics["mse"]))
    record = execute(spec, context)
    assert len(epochs) == 20
    assert record.best_epoch == 1 + int(np.argmin(epochs))
    assert record.validation["mse"] == min(epochs)


def killed_at(folder: Path, strategy: str, stop_at: int) -> None:
    """A process that is killed after a step, before anything of it is saved."""

    def kill(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    found = registered()
    context = replace(context_in(folder, found), on_progress=kill)
    execute(run_under(strategy, folder, found), context)


@pytest.mark.parametrize("strategy", ["equal", "ammkd"])
@pytest.mark.parametrize("stop_at", [4, 57])
def test_a_run_killed_at_a_step_resumes_bit_identically(
    tmp_path: Path, plugins: Plugins, done: tuple[RunContext, list[Record]], strategy: str, stop_at: int
) -> None:
    process = get_context("spawn").Process(target=killed_at, args=(tmp_path, strategy, stop_at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    spec, context = run_under(strategy, tmp_path, plugins), context_in(tmp_path, plugins)
    assert not context.results.exists()
    steps: list[int] = []
    again = execute(spec, replace(context, on_progress=lambda progress: steps.append(progress.done)))
    assert steps[0] == stop_at // 5 * 5 + 1
    calm = read_record(record_path(done[0].results, "vectors", spec.run_id))
    assert (again.arrays_sha256, again.trace_sha256) == (calm.arrays_sha256, calm.trace_sha256)
    assert (again.metrics, again.validation, again.weights) == (calm.metrics, calm.validation, calm.weights)


def test_everything_read_back_is_of_its_task(done: tuple[RunContext, list[Record]]) -> None:
    context, records = done
    reading = read_measured([context.results], context.plugins)
    assert reading.problems == []
    assert len(reading.runs) == len(records)
    for run in reading.runs:
        assert isinstance(run.task, Regression)
        assert run.task.headline.name == "mse"
        assert run.task.measure(run.arrays()) == run.record.metrics


def test_rows_are_ranked_with_intervals_and_the_lowest_error_comes_first(done: tuple[RunContext, list[Record]]) -> None:
    context, _ = done
    reading = read_measured([context.results], context.plugins)
    [table] = build(reading.runs).tables
    means = [row.value.mean for row in table.rows]
    assert means == sorted(means)
    assert table.rows[0].teachers == "good + flat"
    assert table.rows[-1].teachers == "poor"
    assert [row.student for row in table.references] == ["good", "poor"]
    for row in table.rows:
        assert row.seeds == (0, 1, 2)
        assert row.value.mean == pytest.approx(np.mean([run.record.metrics["mse"] for run in row.runs]))
        assert row.value.half is not None
        assert row.value.half > 0
    # Significance has the same direction: the worst teacher's student is beaten, and beats no one.
    assert table.better[0, -1]
    assert not table.better[-1].any()
    text = render(build(reading.runs))
    assert "MSE" in text
    assert "MAE" in text
    ranked = [line for line in text.splitlines() if "  good + flat  " in line or "  poor  " in line]
    assert ["good + flat" in line for line in ranked] == [True, True, False]


def test_it_is_shown_in_the_page(done: tuple[RunContext, list[Record]], tmp_path: Path) -> None:
    context, records = done
    reading = read_measured([context.results], context.plugins)
    write_site(tmp_path / "site", build(reading.runs), [], [], [])
    page = (tmp_path / "site/index.html").read_text()
    assert "Mean squared error." in page
    for label in ("MSE", "MAE", "good + flat", "ammkd", "poor"):
        assert label in page
    assert "R@" not in page
    assert len(list((tmp_path / "site").rglob("*.html"))) > len(records)
