"""`kdbench inspect`, on records of real runs of toys and on series written by hand."""

from __future__ import annotations

import math
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdbench import KdbenchError, Offer, Signal
from kdbench.errors import RecordError
from kdbench.records.record import Record, read_record, read_series, record_path, write_record, write_series
from kdbench.reports.inspect import draw, find_run, terminal
from kdbench.reports.inspect.braille import panel, side_by_side
from kdbench.reports.inspect.curves import read_curves
from kdbench.reports.inspect.picture import figure_of
from kdbench.reports.palette import COLOURS
from kdbench.runs.execute import execute
from kdbench.suite.plan import RunSpec
from tests.support.toys import bench, plugged, run_spec, sage

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


class Swings:
    """Weights that go from one teacher to the other; reports a figure of each teacher, one of its own, one that begins late."""

    def __init__(self) -> None:
        self.steps = 0

    def weigh(self, signal: Signal) -> Any:
        self.steps += 1
        share = 0.5 + 0.4 * math.sin(self.steps)
        return signal.losses.new_tensor([share, 1 - share])

    def report(self) -> dict[str, float]:
        late = {"late": 10.0 * self.steps} if self.steps > 6 else {}
        return {"P(a)": 0.1 * self.steps, "P(b)": 2.0, "reward": -self.steps, **late}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Records of real runs of 12 steps, by what they are good for."""
    folder = tmp_path_factory.mktemp("runs")
    made = bench(folder, strategies=[Offer("swings", Swings)])
    specs = {
        "three": run_spec(("a", "b", "c"), plugged("ammkd", C=0.6)),
        "swings": run_spec(("a", "b"), plugged("swings")),
        "five": run_spec(("a", "b", "c", "d", "e"), plugged("random")),
        "one": run_spec(("a",)),
        "none": run_spec(()),
        "failed": run_spec(("a", "b"), plugged("nonesuch")),
    }
    for spec in specs.values():
        execute(spec, made)
    return {name: record_path(made.results, spec.suite, spec.run_id) for name, spec in specs.items()}


@pytest.fixture
def by_hand(tmp_path: Path, spec: Spec, record: Make) -> Callable[..., Path]:
    """Writes a record with a series of its own: `by_hand(step=[…], loss=[…], …)`."""

    def write(changes: dict[str, Any] | None = None, **series: Any) -> Path:
        run = spec(**changes or {})
        path = record_path(tmp_path / "results", run.suite, run.run_id)
        return write_record(tmp_path / "results", record(run, series_sha256=write_series(path, series)))

    return write


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


# Which run is meant


def test_a_run_is_found_by_path_id_or_prefix(runs: dict[str, Path]) -> None:
    path = runs["three"]
    results = path.parent.parent
    ids = [other.stem for other in runs.values()]
    unique = next(n for n in range(1, 13) if sum(other.startswith(path.stem[:n]) for other in ids) == 1)
    for text in (str(path), path.stem, path.stem.upper(), path.stem[:unique]):
        assert find_run(text, results) == path
    with pytest.raises(RecordError):
        find_run(path.stem[: unique - 1], results)


def test_an_ambiguous_prefix_names_the_runs(tmp_path: Path, spec: Spec, record: Make) -> None:
    written = {name: write_record(tmp_path, record(spec(), run_id=name)) for name in ("ab" * 6, "abcd" * 3, "e" * 12)}
    with pytest.raises(RecordError, match="'ab' may be any of 2 runs") as told:
        find_run("ab", tmp_path)
    assert str(written["ab" * 6]) in str(told.value)
    assert str(written["abcd" * 3]) in str(told.value)
    assert str(written["e" * 12]) not in str(told.value)
    assert spec().label in str(told.value)


def test_a_record_that_is_there_twice_is_ambiguous(runs: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(runs["three"], tmp_path / name)
    with pytest.raises(RecordError, match="any of 2 runs"):
        find_run(runs["three"].stem, tmp_path)


def test_a_long_list_is_cut(tmp_path: Path, spec: Spec, record: Make) -> None:
    for number in range(20):
        write_record(tmp_path, record(spec(), run_id=f"a{number:011d}"))
    with pytest.raises(RecordError, match="and 12 more") as told:
        find_run("a", tmp_path)
    assert len(str(told.value).split("\n")) == 10


def test_an_unknown_run_names_near_ids(tmp_path: Path, spec: Spec, record: Make) -> None:
    write_record(tmp_path, record(spec(), run_id="0123456789ab"))
    write_record(tmp_path, record(spec(), run_id="fedcfedcfedc"))
    with pytest.raises(RecordError, match="no run is called '0123456798ab'; near are:") as told:
        find_run("0123456798ab", tmp_path)
    assert "0123456789ab.json" in str(told.value)
    assert "fedc" not in str(told.value)
    with pytest.raises(RecordError, match=r"no record is at 'zzz', and none of the 2 runs .* `kdbench plan SUITE` shows ids"):
        find_run("zzz", tmp_path)
    with pytest.raises(RecordError, match="no such file or folder"):
        find_run("0123", tmp_path / "nowhere")


# Records that have nothing to show


def test_a_record_from_before_series(tmp_path: Path, spec: Spec, record: Make) -> None:
    path = write_record(tmp_path, record(spec()))
    for show in (terminal, lambda path: draw(path, tmp_path / "p.png")):
        with pytest.raises(RecordError, match="no curves, being recorded before kdbench kept them"):
            show(path)
    assert not (tmp_path / "p.png").exists()


def test_a_run_that_failed(runs: dict[str, Path]) -> None:
    with pytest.raises(RecordError, match=r"toy · a\+b · nonesuch · seed 0\) failed \(no strategy .*, so it has no curves"):
        terminal(runs["failed"])


def test_a_series_that_is_not_the_records(by_hand: Callable[..., Path]) -> None:
    path = by_hand(step=[1], loss=[1.0], task=[1.0])
    path.with_suffix(".series.json").write_text('{"step": [1]}')
    with pytest.raises(RecordError, match="sha256"):
        terminal(path)


# The terminal


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
        f"run {record.run_id}, ok, RSUM {record.metrics['rsum']:.1f} on the test split; best epoch {record.best_epoch} of 3"
    )


def test_a_reconstruction_says_so(tmp_path: Path, spec: Spec, record: Make) -> None:
    for names in ([], ["equal", "cosine"]):
        path = record_path(tmp_path, "tiny", spec().run_id)
        digest = write_series(path, {"step": [1], "loss": [1.0], "task": [1.0]})
        write_record(tmp_path, record(spec(), series_sha256=digest, reconstructions=names))
        shown = "Reconstruction: the source of equal, cosine leaves something open" in terminal(path, 120)
        assert shown == bool(names)
        assert ("Reconstruction" in figure_of(read_curves(path)).get_suptitle()) == bool(names)


@pytest.mark.parametrize("name", ["three", "swings", "five"])
def test_tables_hold_the_figures_of_the_series(name: str, runs: dict[str, Path]) -> None:
    text, series = terminal(runs[name], 120), read_series(runs[name])
    weights = table(text, "weight of")
    assert list(weights) == list(series["weights"])
    for teacher, column in series["weights"].items():
        mean = read_record(runs[name]).weights[teacher]
        assert weights[teacher] == [round(x, 3) for x in (mean, column[0], column[-1], min(column), max(column))]
    cosines = table(text, "cosine of gradients")
    assert list(cosines) == list(series["cosines"])
    for pair, column in series["cosines"].items():
        expected = [sum(column) / len(column), min(column), max(column)]
        assert cosines[pair] == pytest.approx(expected, abs=0.0005 + 1e-9)


@pytest.mark.parametrize("name", ["three", "swings", "five"])
def test_entropy_and_conflicts_are_told_in_words(name: str, runs: dict[str, Path]) -> None:
    text, series = " ".join(terminal(runs[name], 120).split()), read_series(runs[name])
    entropy, teachers = sum(series["entropy"]) / 12, len(series["weights"])
    assert f"{entropy:.3f} nats on average, {100 * entropy / math.log(teachers):.0f}% of ln {teachers}" in text
    against = sum(any(column[step] < 0 for column in series["cosines"].values()) for step in range(12))
    told = f"Some pair did at {against} of the 12 ({100 * against / 12:.0f}%)"
    assert (
        f"compared at 12 steps spread over the run: 1 is the same direction, below 0 they point against each other. {told}"
        in text
    )


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
    assert "No teacher: there are no weights, only the loss." in none
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
        assert ("need not sum to one" in terminal(path, 80)) == said
        lowest = axes_of(path)[0].get_ylim()[0]
        assert (lowest < -0.4) if said else (lowest == 0)


def test_a_teacher_called_like_a_number(by_hand: Callable[..., Path]) -> None:
    team = [sage("a") | {"name": name} for name in ("1e5", "007")]
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


# Plots of text


def dots(lines: list[str], width: int) -> set[tuple[int, int]]:
    """Columns and rows of cells with a dot, from the panel's lower left, the frame left out."""
    left = lines[1].index("┌") + 1
    rows = [line[left : width - 1] for line in lines[2:-2]]
    return {
        (column, len(rows) - 1 - row)
        for row, line in enumerate(rows)
        for column, cell in enumerate(line)
        if "\u2801" <= cell <= "\u28ff"
    }


def test_a_rising_curve_rises() -> None:
    lines = panel("up", list(range(5, 105, 5)), [0.05 * place for place in range(20)], 40, (0.0, 0.95))
    assert all(len(line) == 40 for line in lines)
    assert lines[0].strip() == "up"
    found = dots(lines, 40)
    columns = max(column for column, _ in found) + 1
    rows = max(row for _, row in found) + 1
    assert (0, 0) in found
    assert (columns - 1, rows - 1) in found
    assert rows == len(lines) - 4
    lowest = [min(row for at, row in found if at == column) for column in range(columns)]
    assert lowest == sorted(lowest)
    assert not {(0, rows - 1), (columns - 1, 0)} & found
    assert lines[-1].split() == ["5", "100"]
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["0.95", "0.47", "0.00"]


@pytest.mark.parametrize(("level", "row"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_a_constant_curve_is_level(level: float, row: int) -> None:
    found = dots(panel("level", [1, 2, 3, 4], [level] * 4, 40, (0.0, 1.0)), 40)
    assert {height for _, height in found} == {row}
    assert len(found) == 40 - len("12345┤") - 1


def test_one_panel_knows_nothing_of_the_one_before() -> None:
    alone = panel("b", [1, 2, 3], [0.0, 0.5, 0.2], 30, (0.0, 1.0))
    panel("a", [1, 2, 3, 400], [9.0, 0.5, -7.0, 0.0], 50, (-7.0, 9.0))
    assert panel("b", [1, 2, 3], [0.0, 0.5, 0.2], 30, (0.0, 1.0)) == alone


@pytest.mark.parametrize("values", [[1.0], [0.0], [-3.0]])
def test_a_single_step(values: list[float]) -> None:
    text = side_by_side([1], {"loss": values}, 80)
    assert len(dots(text.split("\n"), 60)) == 1


def test_long_names_are_cut() -> None:
    lines = panel("x" * 100, [1, 2], [0.0, 1.0], 30, (0.0, 1.0))
    assert all(len(line) == 30 for line in lines)
    assert "xxx…" in lines[0]


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 80, 1), (3, 80, 1), (4, 80, 2), (5, 80, 2), (7, 80, 3), (5, 140, 1), (3, 40, 3)]
)
def test_as_few_rows_of_panels_as_fit(count: int, columns: int, rows: int) -> None:
    text = side_by_side([1, 2], {f"n{place}": [0.0, 1.0] for place in range(count)}, columns)
    titles = [line.split() for line in text.split("\n") if "n" in line]
    assert len(titles) == rows
    assert [name for row in titles for name in row] == [f"n{place}" for place in range(count)]
    assert max(map(len, titles)) - min(map(len, titles[:-1]), default=len(titles[0])) == 0


# Pictures


def axes_of(path: Path) -> list[Any]:
    return list(figure_of(read_curves(path)).axes)


def curves_of(axes: Any) -> dict[str, list[float]]:
    return {
        line.get_label(): [float(value) for value in line.get_ydata()]
        for line in axes.lines
        if len(line.get_xdata()) > 2  # and not a rule across the panel
    }


def test_panels_hold_the_series(runs: dict[str, Path]) -> None:
    series = read_series(runs["three"])
    weights, entropy, cosines, losses = panels = axes_of(runs["three"])
    assert curves_of(weights) == series["weights"]
    (evenness,) = curves_of(entropy).values()
    np.testing.assert_allclose(evenness, np.array(series["entropy"]) / math.log(3), rtol=1e-12)
    assert curves_of(cosines) == series["cosines"]
    assert list(curves_of(losses).values()) == [series["loss"], series["task"]]
    for axes in panels:
        assert all(list(line.get_xdata()) == series["step"] for line in axes.lines if len(line.get_xdata()) > 2)
        assert axes.get_ylabel()
        assert axes.get_title(loc="left")
    assert losses.get_xlabel() == "step (a point for each step)"
    assert "toy · a+b+c · ammkd · seed 0" in figure_of(read_curves(runs["three"])).get_suptitle()
    assert [text.get_text() for text in weights.get_legend().get_texts()] == ["a", "b", "c", "equal share, 1/3"]


def test_many_pairs_are_summed_up(runs: dict[str, Path]) -> None:
    series = read_series(runs["five"])
    cosines = axes_of(runs["five"])[2]
    columns = np.array(list(series["cosines"].values()))
    shown = curves_of(cosines)
    np.testing.assert_allclose(shown["their mean"], columns.mean(axis=0), atol=1e-12)
    (worst,) = (name for name in shown if name.endswith(", lowest on average"))
    assert series["cosines"][worst.removesuffix(", lowest on average")] == columns[columns.mean(axis=1).argmin()].tolist()
    vertices = cosines.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].min() == columns.min()
    assert vertices[:, 1].max() == columns.max()


def test_own_figures_of_one_kind_share_a_panel(runs: dict[str, Path]) -> None:
    axes = axes_of(runs["swings"])
    assert [panel.get_ylabel() for panel in axes[4:]] == ["P", "reward", "late"]
    assert list(curves_of(axes[4])) == ["P(a)", "P(b)"]
    late = curves_of(axes[6])["late"]
    assert np.isnan(late[:6]).all()
    assert late[6:] == [10.0 * step for step in range(7, 13)]
    # A figure of each teacher has that teacher's colour, any other none of theirs.
    colours = [[line.get_color() for line in panel.lines if len(line.get_xdata()) > 2] for panel in axes]
    assert colours[4] == colours[0] == list(COLOURS[:2])
    assert not set(colours[5]) & set(colours[0])
    assert not set(colours[2]) & set(colours[0])


def test_pictures_without_weights(runs: dict[str, Path]) -> None:
    for name, said, lines in [("one", "One teacher, a", 2), ("none", "No teacher", 1)]:
        figure = figure_of(read_curves(runs[name]))
        (losses,) = figure.axes
        assert len(curves_of(losses)) == lines
        assert said in figure.get_suptitle()


def test_names_are_not_mathematics(by_hand: Callable[..., Path], tmp_path: Path) -> None:
    columns: dict[str, Any] = {"step": [1, 2], "loss": [2.0, 1.0], "task": [1.0, 0.5], "entropy": [0.5, 0.6]}
    names = ("$x_{", "a$\\frac")
    path = by_hand(
        weights={name: [0.5, 0.5] for name in names},
        cosines={" · ".join(names): [0.5, -0.5]},
        conflict=[0, 1],
        report={"$\\bad": [1.0, 2.0]},
        **columns,
    )
    draw(path, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_a_picture_is_written_without_pyplot(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    path = tmp_path / "picture.png"
    draw(runs["three"], path)
    first = path.read_bytes()
    width, height = struct.unpack(">II", first[16:24])
    assert width == 1500
    assert height > width / 2
    seen = {tuple(pixel) for pixel in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)}
    teachers = {tuple(bytes.fromhex(colour[1:])) for colour in COLOURS[:3]}
    assert teachers <= seen
    draw(runs["three"], path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", ["nowhere/p.png", "p.nonesuch"])
def test_a_picture_that_cannot_be_written(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match="the picture cannot be written"):
        draw(runs["none"], tmp_path / name)


def test_importing_it_is_cheap() -> None:
    code = "import sys, kdbench.reports.inspect; print([m for m in ('torch', 'plotext', 'matplotlib') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
