"""A run in the terminal."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.records.files import read_record, read_trace, write_record, write_trace
from kdbench.records.names import record_path
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.reports.inspect import draw, terminal
from kdbench.reports.inspect.curves import read_curves
from kdbench.reports.inspect.figure import figure_of
from kdbench.suite.spec import RunSpec, TaskDataset
from tests.support.rankings import HEADLINE
from tests.support.toys import sage

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


def table(text: str, heading: str) -> dict[str, list[float]]:
    """The rows of the table whose first heading is given."""
    lines = iter(text.split("\n"))
    next(line for line in lines if line.startswith(heading))
    next(lines)
    found = {}
    for line in lines:
        if not line:
            break
        name, *values = re.split(r"  +", line.strip())
        found[name] = [float(value) for value in values]
    return found


# Records that have nothing to show


def test_a_record_without_a_trace(tmp_path: Path, spec: Spec, record: Make) -> None:
    path = write_record(tmp_path, record(spec()))
    for show in (terminal, lambda path: draw(path, tmp_path / "p.png")):
        with pytest.raises(RecordError, match="this record has no trace, as older versions of kdbench wrote none"):
            show(path)
    assert not (tmp_path / "p.png").exists()


def test_runs_that_train_nothing(tmp_path: Path, spec: Spec, record: Make) -> None:
    trains = spec()
    path = write_record(tmp_path, record(spec(role="reference", student=trains.team[0], team=[], strategy=None, train=None)))
    with pytest.raises(RecordError, match=r"teacher itself\) trains nothing, so it has no trace"):
        terminal(path)
    elsewhere = TaskDataset(task=trains.task, dataset=trains.dataset.replace(name="near"))
    transfer = trains.replace(trained_on=elsewhere)
    path = write_record(tmp_path, record(transfer))
    with pytest.raises(RecordError, match=f"has no trace; that of its student is in run {transfer.training.run_id}"):
        terminal(path)


def test_a_run_that_failed(runs: dict[str, Path]) -> None:
    with pytest.raises(RecordError, match=r"toy · a\+b · nonesuch · seed 0\) failed \(no strategy .*, so it has no trace"):
        terminal(runs["failed"])


def test_stages_are_told_and_drawn(by_hand: Callable[..., Path]) -> None:
    path = by_hand(step=[2, 4, 5], stage=[1, 2, 2], loss=[1.0, 2.0, 3.0], task=[1.0, 2.0, 3.0])
    assert read_curves(path).stage_starts == [2]
    assert "2 stages, begun after steps 0, 2; the best epoch is one of the last." in terminal(path, 100)
    (axes,) = figure_of(read_curves(path)).axes
    assert [np.asarray(line.get_xdata())[0] for line in axes.lines if line.get_linestyle() == "--"] == [2]


def test_a_trace_that_is_not_the_records(by_hand: Callable[..., Path]) -> None:
    path = by_hand(step=[1], loss=[1.0], task=[1.0])
    path.with_suffix(".trace.json").write_text('{"step": [1]}')
    with pytest.raises(RecordError, match="sha256"):
        terminal(path)


# What is shown


@pytest.mark.parametrize("width", [60, 80, 120, 300])
@pytest.mark.parametrize("name", ["three", "swings", "five", "one", "none"])
def test_lines_fit_and_are_plain(name: str, width: int, runs: dict[str, Path]) -> None:
    lines = terminal(runs[name], width).split("\n")
    assert max(map(len, lines)) <= min(width, 160)
    assert all(line == line.rstrip() and "\x1b" not in line for line in lines)


def test_the_width_is_the_terminals(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (70, 110):
        monkeypatch.setenv("COLUMNS", str(width))
        assert terminal(runs["three"]) == terminal(runs["three"], width)
    assert terminal(runs["three"], 70) != terminal(runs["three"], 110)


def test_the_header(runs: dict[str, Path]) -> None:
    record = read_record(runs["three"])
    first, second, *_ = terminal(runs["three"], 120).split("\n")
    assert first == "toy · a+b+c · ammkd · seed 0"
    assert second == (
        f"run {record.run_id}, ok, RSUM {record.metrics[HEADLINE]:.1f} on the test split; best epoch {record.best_epoch} of 3"
    )


def test_a_reconstruction_says_so(tmp_path: Path, spec: Spec, record: Make) -> None:
    for names in ([], ["equal", "cosine"]):
        path = record_path(tmp_path, "tiny", spec().run_id)
        digest = write_trace(path, Trace(step=[1], loss=[1.0], task=[1.0]))
        write_record(tmp_path, record(spec(), trace_sha256=digest, reconstructions=names))
        shown = "Reconstruction: the source of equal, cosine leaves something open" in terminal(path, 120)
        assert shown == bool(names)
        assert ("Reconstruction" in figure_of(read_curves(path)).get_suptitle()) == bool(names)


@pytest.mark.parametrize("name", ["three", "swings", "five"])
def test_tables_hold_the_figures_of_the_trace(name: str, runs: dict[str, Path]) -> None:
    text, trace = terminal(runs[name], 120), read_trace(runs[name])
    weights = table(text, "weight of")
    assert list(weights) == list(trace.weights)
    for teacher, column in trace.weights.items():
        mean = read_record(runs[name]).weights[teacher]
        assert weights[teacher] == [round(x, 3) for x in (mean, column[0], column[-1], min(column), max(column))]
    cosines = table(text, "cosine of gradients")
    assert list(cosines) == list(trace.cosines)
    for pair, column in trace.cosines.items():
        expected = [sum(column) / len(column), min(column), max(column)]
        assert cosines[pair] == pytest.approx(expected, abs=0.0005 + 1e-9)


@pytest.mark.parametrize("name", ["three", "swings", "five"])
def test_entropy_and_conflicts_are_told_in_words(name: str, runs: dict[str, Path]) -> None:
    text, trace = " ".join(terminal(runs[name], 120).split()), read_trace(runs[name])
    entropy, teachers = sum(trace.entropy) / 12, len(trace.weights)
    assert f"{entropy:.3f} nats on average, {100 * entropy / math.log(teachers):.0f}% of ln {teachers}" in text
    against = sum(any(column[step] < 0 for column in trace.cosines.values()) for step in range(12))
    told = f"Some pair did at {against} of the 12 ({100 * against / 12:.0f}%)"
    assert f"compared at 12 steps spread over the run: 1 is the same direction, below 0 they conflict. {told}" in text


def test_a_strategys_own_figures(runs: dict[str, Path]) -> None:
    assert table(terminal(runs["swings"], 80), "swings's own") == {
        "P(a)": [0.1, 1.2, 0.1, 1.2],
        "P(b)": [2.0, 2.0, 2.0, 2.0],
        "reward": [-1.0, -12.0, -12.0, -1.0],
        "late": [70.0, 120.0, 70.0, 120.0],
    }
    assert "own" not in terminal(runs["three"], 80).split("weight of")[1]


def test_an_own_figure_that_never_was_a_number(by_hand: Callable[..., Path], tmp_path: Path) -> None:
    path = by_hand(step=[1, 2], loss=[2.0, 1.0], task=[1.0, 0.5], report={"lost": [None, None], "kept": [None, 3.0]})
    lost, kept = table(terminal(path, 80), "equal's own").values()
    assert np.isnan(lost).all()
    assert kept == [3.0] * 4
    draw(path, tmp_path / "p.png")


def test_without_weights_the_losses_alone(runs: dict[str, Path]) -> None:
    one, none = terminal(runs["one"], 80), terminal(runs["none"], 80)
    assert "One teacher, a: its weight is always 1, so only the losses are shown." in one
    assert "No distillation: there are no weights, only the loss." in none
    for text in (one, none):
        assert not re.search("[Ee]ntropy|cosine|weight of|Weight of", text)
    assert "loss, with all terms" in one
    assert "task loss alone" in one
    assert none.count("┌") == 1
    assert one.count("┌") == 2


def test_weights_that_do_not_sum_to_one(by_hand: Callable[..., Path]) -> None:
    columns: dict[str, Any] = {"step": [1, 2], "loss": [2.0, 1.0], "task": [1.0, 0.5], "entropy": [0.5, 0.6]}
    columns |= {"cosines": {"a · b": [0.5, -0.5]}, "conflict": [0, 1]}
    for weights, said in [({"a": [0.5, 0.2], "b": [0.5, 0.8]}, False), ({"a": [0.5, -0.4], "b": [0.5, 2.2]}, True)]:
        path = by_hand(weights=weights, **columns)
        assert ("do not sum to one" in terminal(path, 80)) == said
        lowest = figure_of(read_curves(path)).axes[0].get_ylim()[0]
        assert (lowest < -0.4) if said else (lowest == 0)


def test_a_teacher_called_like_a_number(by_hand: Callable[..., Path]) -> None:
    team = [sage("a").replace(name=name) for name in ("1e5", "007")]
    path = by_hand(
        {"team": team},
        step=[1],
        loss=[2.0],
        task=[1.0],
        weights={"1e5": [0.25], "007": [0.75]},
        entropy=[0.5],
        cosines={"1e5 · 007": [0.5]},
        conflict=[0],
    )
    assert list(table(terminal(path, 80), "weight of")) == ["1e5", "007"]


def test_importing_it_is_cheap() -> None:
    code = "import sys, kdbench.reports.inspect; print([m for m in ('torch', 'plotext', 'matplotlib') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
